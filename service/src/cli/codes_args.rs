//! Arguments of `kommuneklient codes`.

use clap::Args;

use crate::texts::LanguageArg;

/// Which codes, and in which form.
#[derive(Debug, Args)]
pub struct CodesArgs {
    /// The number of an event, or a word for why a mailbox is not used, such as P-NonWhitelist; all events when absent.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    #[command(flatten)]
    pub(crate) language: LanguageArg,
    /// Answer in JSON, for programs: everything, in both languages.
    #[arg(long)]
    pub json: bool,
    /// Answer with docs/event-codes.md.
    #[arg(long, conflicts_with_all = ["json", "id"])]
    pub markdown: bool,
    /// Answer with the alert rules for Prometheus (an object PrometheusRule of its operator, in YAML).
    #[arg(long, conflicts_with_all = ["json", "id", "markdown"])]
    pub alert_rules: bool,
}
