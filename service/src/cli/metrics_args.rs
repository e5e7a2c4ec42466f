//! Arguments of `kommuneklient metrics`.

use clap::Args;

use crate::texts::LanguageArg;

/// In which form.
#[derive(Debug, Clone, Copy, Args)]
pub struct MetricsArgs {
    #[command(flatten)]
    pub(crate) language: LanguageArg,
    /// Answer in JSON, for programs: everything, in both languages.
    #[arg(long)]
    pub json: bool,
    /// Answer with the table of docs/observability.md.
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}
