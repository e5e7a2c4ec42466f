//! A log file that is rolled by size, for machines without a journal.
//!
//! Protocol: lines are added to FILE. Before a line that would make it larger than the limit, FILE.1 becomes FILE.2 and
//! so on, FILE becomes FILE.1, and the oldest beyond the number that is kept is removed: so the disk never holds more
//! than `(kept + 1) * size_bytes`. A line is never cut in two. FILE is locked for as long as it is written: two processes
//! that rolled one file would lose lines of each other.
//!
//! Failure: opening says what is wrong; afterwards nothing is an error. A file that cannot be rolled (the folder became
//! read-only) goes on being written beyond its limit and is tried again [`PATIENCE_LINES`] lines later; a line that cannot
//! be written (a full disk) is dropped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Lines after which a failed roll is tried again.
const PATIENCE_LINES: u32 = 1_000;

/// Where the file is, how large it gets, and how many of before are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rolling {
    /// The file. Its folder must exist.
    pub file: PathBuf,
    /// The size that it does not pass, but for a single line that is longer.
    pub size_bytes: u64,
    /// How many files of before are kept beside it.
    pub kept: u32,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct RollingFile {
    options: Rolling,
    file: File,
    size: u64,
    /// Lines until a roll that failed is tried again.
    patience: u32,
}

impl RollingFile {
    /// Opens the file, to go on behind what it holds.
    ///
    /// # Errors
    /// It cannot be made or written, or another process writes it ([`io::ErrorKind::WouldBlock`]).
    pub(crate) fn open(options: Rolling) -> io::Result<Self> {
        let (file, size) = open(&options.file)?;
        Ok(Self { options, file, size, patience: 0 })
    }

    /// Adds a line (with its end).
    pub(crate) fn write(&mut self, line: &str) {
        let length = line.len() as u64;
        if self.size > 0 && self.size.saturating_add(length) > self.options.size_bytes {
            self.roll_or_wait();
        }
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.size = self.size.saturating_add(length);
        }
    }

    fn roll_or_wait(&mut self) {
        if self.patience > 0 {
            self.patience -= 1;
        } else if self.roll().is_err() {
            self.patience = PATIENCE_LINES;
        }
    }

    /// On an error FILE is open as before, and no file of before was lost but the oldest.
    fn roll(&mut self) -> io::Result<()> {
        let Rolling { file, kept, .. } = &self.options;
        // up to the first gap: a roll that failed half-way is not to push further ones out when it is tried again
        let free = (1..*kept).find(|number| !numbered(file, *number).exists()).unwrap_or(*kept);
        for number in (1..free).rev() {
            rename(&numbered(file, number), &numbered(file, number + 1))?;
        }
        if *kept == 0 {
            fs::remove_file(file)?;
        } else {
            rename(file, &numbered(file, 1))?;
        }
        (self.file, self.size) = open(file)?;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    file.try_lock().map_err(io::Error::from)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// What is not there needs no new name.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn numbered(file: &Path, number: u32) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests;
