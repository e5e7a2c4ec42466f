//! The product's own program, built as part of this crate so that its tests can start it as a process.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    kommuneklient::cli::main()
}
