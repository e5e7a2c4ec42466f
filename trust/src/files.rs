//! Noticing that files have changed: by their content, so that a swapped symbolic link (as Kubernetes renews
//! a secret) and a rewritten file are the same, and a touched file is nothing.

use std::path::Path;

use crate::{Fingerprint, TrustError, pem};

/// What reading the files again brought.
#[derive(Debug)]
pub enum Refresh {
    /// Nothing is new.
    Unchanged,
    /// The files have changed and are in use from the next connection on.
    Changed,
    /// The files have changed and cannot be used; what was read before stays in use. Told once for each
    /// content of the files.
    Refused(TrustError),
}

/// Remembers what the files held.
#[derive(Debug)]
pub(crate) struct Contents {
    in_use: Fingerprint,
    refused: Option<Doubt>,
}

/// Contents that could not be used.
#[derive(Debug)]
struct Doubt {
    contents: Fingerprint,
    told: bool,
}

impl Contents {
    /// What the files hold now.
    pub(crate) fn of(files: &[&Path]) -> Self {
        Self { in_use: fingerprint(files), refused: None }
    }

    /// Looks at the files and, when they are new, lets `read` take them.
    ///
    /// Files that belong together are not replaced at one instant: what cannot be used is told only when a
    /// second look finds the same.
    pub(crate) fn refresh(
        &mut self,
        files: &[&Path],
        read: impl FnOnce() -> Result<(), TrustError>,
    ) -> Refresh {
        let contents = fingerprint(files);
        if contents == self.in_use {
            self.refused = None;
            return Refresh::Unchanged;
        }
        let error = match read() {
            Ok(()) => {
                *self = Self { in_use: contents, refused: None };
                return Refresh::Changed;
            }
            Err(error) => error,
        };
        match &mut self.refused {
            Some(doubt) if doubt.contents == contents && doubt.told => Refresh::Unchanged,
            Some(doubt) if doubt.contents == contents => {
                doubt.told = true;
                Refresh::Refused(error)
            }
            _ => {
                self.refused = Some(Doubt { contents, told: false });
                Refresh::Unchanged
            }
        }
    }
}

/// Of all files together; one that cannot be read counts by the kind of its error.
fn fingerprint(files: &[&Path]) -> Fingerprint {
    let mut all = Vec::with_capacity(files.len() * 32);
    for file in files {
        let one = match pem::read(file, "a file", pem::LIMIT_BYTES) {
            Ok(bytes) => Fingerprint::of(&zeroize::Zeroizing::new(bytes)).to_string(),
            Err(TrustError::Read { source, .. }) => format!("{:?}", source.kind()),
            Err(_) => "too large".to_owned(),
        };
        all.extend_from_slice(one.as_bytes());
        all.push(b'\n');
    }
    Fingerprint::of(&all)
}
