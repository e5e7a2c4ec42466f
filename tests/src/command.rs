//! Commands of the product, run as an operator would run them.

use std::path::Path;
use std::process::Command;

/// What a command said, and its status.
#[derive(Debug)]
pub struct Ended {
    /// The exit status.
    pub status: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// Runs `program` with nothing of this environment but the path, as the user "somebody".
///
/// # Panics
/// When it cannot be run, was killed, or says something that is not UTF-8.
pub fn run(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("USER", "somebody")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(environment.iter().copied())
        .output()
        .expect("the program can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what it says is UTF-8");
    let status = output.status.code().expect("it was not killed");
    Ended { status, out: text(output.stdout), err: text(output.stderr) }
}

/// The same with a configuration and without holding up the runtime. Words of `line` are parted by blanks, `_` stands for a
/// blank within a word.
///
/// # Panics
/// As [`run`].
pub async fn operate(program: &'static str, configuration: &Path, line: &str) -> Ended {
    let arguments: Vec<String> = line.split(' ').map(|word| word.replace('_', " ")).collect();
    let configuration = configuration.to_str().expect("a path in UTF-8").to_owned();
    let ended = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(program, &arguments, &[("KOMMUNEKLIENT_CONFIG", &configuration)])
    });
    ended.await.expect("the command ends")
}
