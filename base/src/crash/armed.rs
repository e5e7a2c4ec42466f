//! What a process that was built with crash points does at them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use jiff::SignedDuration;
use rustix::process::{Signal, getpid, kill_process};

use super::POINTS;

const CRASH_AT: &str = "KOMMUNEKLIENT_CRASH_AT";
const CRASH_UNLESS: &str = "KOMMUNEKLIENT_CRASH_UNLESS";
const PANIC_AT: &str = "KOMMUNEKLIENT_PANIC_AT";
const CRASH_TRACE: &str = "KOMMUNEKLIENT_CRASH_TRACE";
/// So many passes that nobody lives to see the last.
const ALWAYS: &str = "1000000000";
const CLOCK_OFFSET: &str = "KOMMUNEKLIENT_CLOCK_OFFSET_MS";

/// An environment that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrashError {
    /// No such point.
    #[error("{variable} names no crash point: {name}")]
    NoPoint {
        /// Where.
        variable: &'static str,
        /// What it names.
        name: String,
    },
    /// Not a number from 1.
    #[error("{variable} says no number of passes from 1: {text}")]
    NoPass {
        /// Where.
        variable: &'static str,
        /// What it says.
        text: String,
    },
    /// Not a number of milliseconds.
    #[error("{CLOCK_OFFSET} is no number of milliseconds: {text}")]
    NoOffset {
        /// What it says.
        text: String,
    },
}

impl CrashError {
    /// Nobody but who started the process can do anything about it.
    pub const fn disposition(&self) -> crate::Disposition {
        crate::Disposition::Escalate
    }
}

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Where to die, and how many passes are left until then: at the first that is met.
    pub(super) kill: Vec<(&'static str, AtomicU64)>,
    /// When this file exists, nobody dies any more: who ordered it has called it off, and need not kill the process for
    /// that. (A kill would heal what the process has forgotten.)
    unless: Option<PathBuf>,
    /// Where to panic, and how many passes are left that do.
    pub(super) panic: Option<(&'static str, AtomicU64)>,
    trace: Option<(PathBuf, Mutex<BTreeSet<&'static str>>)>,
    pub(super) clock_offset: SignedDuration,
}

impl Orders {
    /// Reads the variables by `get`.
    pub(super) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, CrashError> {
        let given = |name| get(name).filter(|text| !text.is_empty());
        Ok(Self {
            kill: given(CRASH_AT)
                .map(|text| text.split(',').map(|one| pass_of(CRASH_AT, one, "1")).collect())
                .transpose()?
                .unwrap_or_default(),
            unless: given(CRASH_UNLESS).map(PathBuf::from),
            panic: given(PANIC_AT).map(|text| pass_of(PANIC_AT, &text, ALWAYS)).transpose()?,
            trace: given(CRASH_TRACE).map(|path| (PathBuf::from(path), Mutex::default())),
            clock_offset: given(CLOCK_OFFSET).map(|text| offset(&text)).transpose()?.unwrap_or_default(),
        })
    }

    /// Passes a point; is it the one to die at?
    pub(super) fn pass(&self, name: &'static str) -> bool {
        if let Some((path, seen)) = &self.trace
            && seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name)
        {
            note(path, name);
        }
        let Some((_, left)) = self.kill.iter().find(|(at, _)| *at == name) else { return false };
        // below zero it goes round: nobody lives to see it, unless it was called off, and then it is too far to zero
        left.fetch_sub(1, Ordering::Relaxed) == 1 && !self.is_called_off()
    }

    /// Asked only where a process is about to die: what a look at the file costs, no other pass pays.
    fn is_called_off(&self) -> bool {
        self.unless.as_ref().is_some_and(|path| path.exists())
    }

    /// Is it a pass at which to panic?
    pub(super) fn panics(&self, name: &'static str) -> bool {
        let Some((_, left)) = self.panic.as_ref().filter(|(at, _)| *at == name) else { return false };
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// A point and a number, `name:n`; `name` alone means `default`.
fn pass_of(
    variable: &'static str,
    text: &str,
    default: &str,
) -> Result<(&'static str, AtomicU64), CrashError> {
    let (name, pass) = text.split_once(':').unwrap_or((text, default));
    let point = POINTS.iter().find(|point| point.name == name);
    let point = point.ok_or_else(|| CrashError::NoPoint { variable, name: name.to_owned() })?;
    let pass: Option<u64> = pass.parse().ok().filter(|pass| *pass > 0);
    let pass = pass.ok_or_else(|| CrashError::NoPass { variable, text: text.to_owned() })?;
    Ok((point.name, AtomicU64::new(pass)))
}

fn offset(text: &str) -> Result<SignedDuration, CrashError> {
    let number = text.strip_prefix('+').unwrap_or(text).parse();
    number.map(SignedDuration::from_millis).map_err(|_| CrashError::NoOffset { text: text.to_owned() })
}

/// One line, written at once: several processes may share the file. One that cannot be written is left out, and the
/// reader misses it.
fn note(path: &Path, name: &str) {
    if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path) {
        let _ = file.write_all(format!("{} {name}\n", std::process::id()).as_bytes());
    }
}

fn orders() -> &'static Orders {
    static ORDERS: OnceLock<Orders> = OnceLock::new();
    ORDERS.get_or_init(|| Orders::read(|name| std::env::var(name).ok()).unwrap_or_default())
}

/// Is what the environment says understood?
///
/// # Errors
/// [`CrashError`], which says what is not.
pub fn check() -> Result<(), CrashError> {
    Orders::read(|name| std::env::var(name).ok()).map(drop)
}

/// Passes the point `name` of [`POINTS`]: the process may end here.
///
/// # Panics
/// When the environment says so.
#[expect(clippy::panic, reason = "as told")]
pub fn point(name: &'static str) {
    if orders().panics(name) {
        panic!("told to panic at {name}");
    }
    if orders().pass(name) {
        let _ = writeln!(std::io::stderr(), "killed at the crash point {name}");
        let _ = kill_process(getpid(), Signal::KILL);
        // the signal is on its way; nothing more may happen on this thread
        loop {
            std::thread::park();
        }
    }
}

/// How much the wall clock of this process is ahead.
pub fn clock_offset() -> SignedDuration {
    orders().clock_offset
}
