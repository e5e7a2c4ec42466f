//! `kommuneklient-torture`: see [`end_to_end::torture`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    end_to_end::torture::cli::main()
}
