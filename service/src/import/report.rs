//! What an import tells people, on standard error.

use super::carry::{Outcome, said};

impl Outcome {
    /// For people: what was read, what disagrees, what is left to do.
    pub(crate) fn report(&self) -> String {
        let mut lines = Vec::new();
        for file in &self.files {
            let service = file.service.map_or("service unknown", |service| service.as_str());
            lines.push(format!("read {} ({service}): {}", file.file, counted(file.settings, "setting")));
        }
        lines.push(format!("taken over: {}", counted(self.carried.len(), "value")));
        if !self.disagreements.is_empty() {
            lines.push("\nthe services disagree:".to_owned());
            for one in &self.disagreements {
                let key = one.key.map(|key| format!(" [{key}]")).unwrap_or_default();
                lines.push(format!("  {}{key}: {}; taken: {}", one.name, said(&one.values), one.taken));
            }
        }
        if !self.left.is_empty() {
            lines.push("\nnot taken over:".to_owned());
            for left in &self.left {
                let key = left.key.map(|key| format!(" [{key}]")).unwrap_or_default();
                lines.push(format!("  {}{key}: {}", left.from, left.reason));
            }
        }
        if !self.warnings.is_empty() {
            lines.push("\nlook at this:".to_owned());
            lines.extend(self.warnings.iter().map(|warning| format!("  {warning}")));
        }
        lines.push(
            "\nnext: write the configuration to a file, fill in what is marked with ##, and run \
             `kommuneklient config check FILE`"
                .to_owned(),
        );
        lines.join("\n")
    }
}

/// So many of them.
fn counted(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}
