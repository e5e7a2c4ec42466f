//! The product's own program, built as part of this crate so that its tests can start it as a process, and with crash
//! points ([`base::crash`]), which the product itself is built without.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

/// Set to anything: this program is of a newer version, which knows one migration more.
const NEWER_SCHEMA: &str = "KOMMUNEKLIENT_NEWER_SCHEMA";

fn main() -> ExitCode {
    if let Err(error) = base::crash::check() {
        let _ = writeln!(std::io::stderr(), "{error}");
        return ExitCode::from(2);
    }
    if std::env::var_os(NEWER_SCHEMA).is_some() {
        store::testing::become_newer();
    }
    kommuneklient::cli::main()
}
