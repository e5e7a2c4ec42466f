//! Command line of Kommuneklient: `kommuneklient --help` explains.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    kommuneklient::cli::main()
}
