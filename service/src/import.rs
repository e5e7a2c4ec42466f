//! `kommuneklient config import`: the configuration files of the original become one of ours.
//!
//! Protocol: [`source`] reads the XML of each file into facts; [`rest`] finds the values that nothing takes, so that they
//! are told; [`convert`] turns one value into ours; [`carry`] decides which value each key gets, what is left and where the
//! services disagree; [`render`] writes the TOML. What was written is read back with the rules of
//! [`Config`](crate::config::Config): a value that these refuse is not taken over, and told, so the result can be loaded as
//! it is. What it still lacks (addresses, passwords, certificates that lie in Windows) stands in it as a comment with the
//! next step.
//!
//! The table of settings is [`crate::config::original`]. Where services disagree, the value of the first of ELS, EPS, PCS counts,
//! except where a comment says so; each case is told.
//!
//! Failure: a file that is not XML, of another product, too large or with a document type is refused; so is one with
//! settings that nobody knows, unless that is allowed. All files are looked at before anything is refused. No error,
//! comment or report holds a password, a connection string or the value of an unknown setting.

mod carry;
mod convert;
mod render;
mod report;
mod rest;
mod source;

use std::path::{Path, PathBuf};

use crate::config::original::OldService;
pub(crate) use carry::Outcome;
use source::Source;

/// Most files that are imported at once: the original has three.
const FILES_MAX: usize = 16;

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is too large to be a configuration.
    #[error("{} is larger than {mebibytes} MiB; it is no configuration file of the original", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The limit.
        mebibytes: u64,
    },
    /// It is no XML that is read here.
    #[error("{}:{line}: not readable as XML: {reason}; give the .exe.config of a service", file.display())]
    NotXml {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// It is XML of another kind.
    #[error(
        "{} is no .NET configuration: its root is <{found}>, not <configuration>; give the .exe.config of a service",
        file.display()
    )]
    NoConfiguration {
        /// The file.
        file: PathBuf,
        /// The name of its root.
        found: String,
    },
    /// It is the configuration of something else.
    #[error(
        "{} is a .NET configuration, but not of the original: it holds none of its settings (such as {example}), no \
         connection string ECSClientExchangeDbEntities and no endpoint of Planner",
        file.display()
    )]
    OtherProduct {
        /// The file.
        file: PathBuf,
        /// A setting that would be there.
        example: &'static str,
    },
    /// It holds settings that nobody knows.
    #[error(
        "{} holds settings that the original does not have: {}; correct them, or give --allow-unknown to leave them out",
        file.display(), names.join(", ")
    )]
    UnknownSettings {
        /// The file.
        file: PathBuf,
        /// Their names, with the nearest known ones.
        names: Vec<String>,
    },
    /// A file stands twice among them.
    #[error("{} is the same file as {}; give each file once", file.display(), first.display())]
    Repeated {
        /// The file, as it was given the second time.
        file: PathBuf,
        /// As it was given first.
        first: PathBuf,
    },
    /// Too many files.
    #[error("{count} files are too many; the original has one for each of its three services")]
    TooManyFiles {
        /// How many.
        count: usize,
    },
    /// It has none of the original's settings.
    #[error(
        "{} holds no setting of the original; give the .exe.config files of its services{elsewhere}",
        file.display()
    )]
    NoSettings {
        /// The file.
        file: PathBuf,
        /// Where its parts stand instead, each behind a semicolon.
        elsewhere: String,
    },
    /// No file was given.
    #[error("no file was given; give the .exe.config files of the original's services")]
    NoFiles,
    /// Several files were refused.
    #[error("{}", lines(errors))]
    Several {
        /// Why each.
        errors: Vec<ImportError>,
    },
}

fn lines(errors: &[ImportError]) -> String {
    let lines = errors.iter().map(|error| telemetry::chain(error).to_string());
    lines.collect::<Vec<_>>().join("\n")
}

/// One file of the original.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path, as it was given.
    pub(crate) path: PathBuf,
    /// Whose it is; `None` = that cannot be told.
    pub(crate) service: Option<OldService>,
    /// What it says.
    pub(crate) source: Source,
}

/// Reads the files and turns them into one configuration.
///
/// # Errors
/// Every file that is refused, with the reason.
pub(crate) fn import(paths: &[PathBuf], allow_unknown: bool) -> Result<Outcome, ImportError> {
    if paths.len() > FILES_MAX {
        return Err(ImportError::TooManyFiles { count: paths.len() });
    }
    let read = |(nth, path): (usize, &PathBuf)| match same_as_before(&paths[..nth], path) {
        Some(first) => Err(ImportError::Repeated { file: path.clone(), first: first.clone() }),
        None => Ok((path.clone(), source::read(path)?)),
    };
    outcome(paths.iter().enumerate().map(read).collect(), allow_unknown)
}

/// The one of `before` that is the same file, however it was written. A file that cannot be looked at is none of them: reading
/// it says why.
fn same_as_before<'a>(before: &'a [PathBuf], path: &Path) -> Option<&'a PathBuf> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let this = real(path)?;
    before.iter().find(|other| real(other).is_some_and(|other| other == this))
}

/// The same with files that were read.
fn outcome(
    read: Vec<Result<(PathBuf, Source), ImportError>>,
    allow_unknown: bool,
) -> Result<Outcome, ImportError> {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for one in read {
        match one.and_then(|(path, source)| identified(path, source, allow_unknown)) {
            Ok(file) => files.push(file),
            Err(error) => errors.push(error),
        }
    }
    // who gives only what refers to other files would get a configuration that says nothing
    let is_empty = |file: &File| {
        let source = &file.source;
        source.settings.is_empty()
            && source.endpoints.is_empty()
            && !source.connections.iter().any(carry::is_the_database)
    };
    match errors.len() {
        0 if files.iter().all(is_empty) => Err(match files.into_iter().next() {
            Some(file) => ImportError::NoSettings {
                file: file.path,
                elsewhere: file.source.elsewhere.iter().map(|part| format!("; {part}")).collect(),
            },
            None => ImportError::NoFiles,
        }),
        0 => Ok(carry::carry(&files)),
        1 => Err(errors.remove(0)),
        _ => Err(ImportError::Several { errors }),
    }
}

/// Whose file is it, and does it hold only what the original has?
fn identified(path: PathBuf, source: Source, allow_unknown: bool) -> Result<File, ImportError> {
    let unknown = carry::unknown_settings(&source);
    let known = source.settings.len() - unknown.len();
    let is_ours = known > 0
        || source.connections.iter().any(carry::is_the_database)
        || carry::planner_endpoint(&source).is_some();
    if !is_ours && source.elsewhere.is_empty() {
        return Err(ImportError::OtherProduct { file: path, example: "SubscriberUpdateTimeInterval" });
    }
    if !unknown.is_empty() && !allow_unknown {
        let names = unknown.iter().map(|name| carry::with_nearest(name)).collect();
        return Err(ImportError::UnknownSettings { file: path, names });
    }
    let service = carry::service_of(&source, &name_of(&path));
    Ok(File { path, service, source })
}

/// The last part of a path, for people.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod planted_tests;
#[cfg(test)]
mod tests;
