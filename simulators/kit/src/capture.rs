//! Messages on disk: `NNNNNN-request.xml` and `NNNNNN-response.xml`, one envelope a file, the XML without
//! the transport around it. An answer that is a stream of envelopes becomes `NNNNNN-response-PPPP.xml`.
//!
//! A file appears whole or not at all. Numbers go on where an earlier run in the same folder ended. Writing
//! blocks for the time of one small file: this is for demonstrations and tests. The first failure is
//! logged and ends the capture.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::KitError;

#[cfg(test)]
mod tests;

/// The most exchanges that one folder takes.
const EXCHANGES_MAX: u64 = 1_000_000;

/// A folder that takes messages.
#[derive(Debug)]
pub struct Capture {
    folder: PathBuf,
    /// Number of the latest exchange.
    latest: AtomicU64,
    /// Set by a failure, or when the folder has taken all that it may.
    ended: AtomicBool,
}

/// The number of one request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaptureNumber(u64);

impl Capture {
    /// Opens the folder, making it where it is missing.
    ///
    /// # Errors
    /// [`KitError::Capture`] when it can be neither made nor read.
    pub fn open(folder: &Path) -> Result<Self, KitError> {
        let failed = |source| KitError::Capture { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let latest = latest_number(folder).map_err(failed)?;
        Ok(Self {
            folder: folder.to_owned(),
            latest: AtomicU64::new(latest),
            ended: AtomicBool::new(latest >= EXCHANGES_MAX),
        })
    }

    /// The number of a new exchange.
    pub fn begin(&self) -> CaptureNumber {
        CaptureNumber(self.latest.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Writes the request of an exchange.
    pub fn request(&self, number: CaptureNumber, message: &[u8]) {
        self.write(number, &format!("{:06}-request", number.0), message);
    }

    /// Writes the answer of an exchange.
    pub fn response(&self, number: CaptureNumber, message: &[u8]) {
        self.write(number, &format!("{:06}-response", number.0), message);
    }

    /// Writes one envelope of an answer that is a stream of them; `part` counts from 1.
    pub fn response_part(&self, number: CaptureNumber, part: u32, message: &[u8]) {
        self.write(number, &format!("{:06}-response-{part:04}", number.0), message);
    }

    fn write(&self, number: CaptureNumber, name: &str, message: &[u8]) {
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        if number.0 > EXCHANGES_MAX {
            if !self.ended.swap(true, Ordering::Relaxed) {
                tracing::warn!(folder = %self.folder.display(), limit = EXCHANGES_MAX, "capture ended: the folder is full");
            }
            return;
        }
        if let Err(error) = self.write_whole(name, message)
            && !self.ended.swap(true, Ordering::Relaxed)
        {
            tracing::error!(folder = %self.folder.display(), %error, "capture ended: a message could not be written");
        }
    }

    fn write_whole(&self, name: &str, message: &[u8]) -> io::Result<()> {
        let unfinished = self.folder.join(format!(".{name}.part"));
        std::fs::write(&unfinished, message)?;
        std::fs::rename(&unfinished, self.folder.join(format!("{name}.xml")))
    }
}

/// The largest number in the folder; 0 where there is none.
fn latest_number(folder: &Path) -> io::Result<u64> {
    let mut latest = 0;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number =
            name.to_str().and_then(|name| name.split_once('-')).and_then(|(number, _)| number.parse().ok());
        latest = latest.max(number.unwrap_or(0));
    }
    Ok(latest)
}
