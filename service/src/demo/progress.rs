//! Live progress: a bar on a terminal, plain lines elsewhere, nothing on standard output that is for programs.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how a run goes, on standard error.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    seconds: u64,
}

impl Progress {
    /// Progress of a run that changes calendars for `seconds`.
    pub fn new(seconds: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(seconds);
            let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, seconds }
    }

    /// Says what happens now, once.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => line(text),
        }
    }

    /// Says how far the run is.
    pub fn tick(&self, second: u64, text: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(second.min(self.seconds));
                bar.set_message(text.to_owned());
            }
            None => line(&format!("{second:>4} s  {text}")),
        }
    }

    /// Takes the bar away.
    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
