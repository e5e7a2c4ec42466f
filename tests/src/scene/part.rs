//! One process of the product beside others: with roles, a configuration and an environment of its own.

use std::path::{Path, PathBuf};

use kommuneklient::demo::world::Process;
use serde_json::Value;

use super::{Scene, quote};
use crate::wait::wait_for;

/// What is left out of the configuration where a role does not need it.
const OF_EXCHANGE: [&str; 1] = ["exchange"];
const OF_PLANNER: [&str; 1] = ["planner"];

/// A running process of the product.
#[derive(Debug)]
pub struct Part {
    /// Its name in the test.
    pub name: &'static str,
    process: Option<Process>,
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
}

impl Scene {
    /// Starts a process with these `roles` ("" = as configured), a configuration that has only what they need, and
    /// variables `NAME=value` in its environment. Later [`Scene::configure`]s do not reach it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_part(&self, name: &'static str, roles: &str, environment: &[&str]) -> Part {
        self.start_part_of(&self.program, name, roles, environment).await
    }

    /// The same with another program: of another version, which may not know every key.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_part_of(
        &self,
        program: &Path,
        name: &'static str,
        roles: &str,
        environment: &[&str],
    ) -> Part {
        let mut sections = self.sections.clone();
        let reads_exchange = roles.is_empty() || roles.contains("listen") || roles.contains("qualify");
        let communicates = roles.is_empty() || roles.contains("communicate");
        let absent =
            OF_EXCHANGE.iter().filter(|_| !reads_exchange).chain(OF_PLANNER.iter().filter(|_| !communicates));
        for section in absent {
            sections.remove(*section);
        }
        let configuration = self.folder.path().join(format!("{name}.toml"));
        super::write_configuration(&configuration, &sections);
        for (section, key) in unknown_keys(program, &configuration) {
            sections.get_mut(&section).expect("it was written").remove(&key);
        }
        super::write_configuration(&configuration, &sections);
        let mut arguments: Vec<String> = environment.iter().map(|one| (*one).to_owned()).collect();
        arguments.push(program.display().to_string());
        arguments.extend(["run".to_owned(), "--config".to_owned(), configuration.display().to_string()]);
        if !roles.is_empty() {
            arguments.extend(["--roles".to_owned(), roles.to_owned()]);
        }
        let log = self.folder.path().join(format!("{name}.log"));
        let mut part = Part { name, process: None, program: PathBuf::from("/usr/bin/env"), arguments, log };
        part.start().await;
        part
    }

    /// Sets a text of the configuration for parts that are started from now on.
    pub fn configure_text(&mut self, section: &str, key: &str, text: &str) {
        self.configure(section, key, &quote(text));
    }
}

impl Part {
    /// Starts it anew, as an orchestrator would.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs", self.name);
        let started = Process::start_program(self.name, &self.program, &self.arguments, &self.log).await;
        self.process =
            Some(started.unwrap_or_else(|error| panic!("{}: {error}\n{}", self.name, self.log_end())));
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name))
    }

    /// Kills it as a crash would.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&mut self) {
        let process = self.process.take().unwrap_or_else(|| panic!("{} does not run", self.name));
        process.kill().await.expect("a child can be killed");
    }

    /// Ends it in order (SIGTERM).
    ///
    /// # Panics
    /// When it does not end in order.
    pub async fn stop(&mut self) {
        let process = self.process.take().unwrap_or_else(|| panic!("{} does not run", self.name));
        let stopped = process.stop().await;
        stopped.unwrap_or_else(|error| panic!("{} ends in order: {error}\n{}", self.name, self.log_end()));
    }

    /// How it ended, if it has ended by itself; the process is forgotten then.
    pub fn ended(&mut self) -> Option<String> {
        let ended = self.process.as_mut()?.ended()?;
        self.process = None;
        Some(ended)
    }

    /// What `/health/ready` says, whatever its status.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn readiness(&self) -> Value {
        let said = said(&self.process().url).await;
        said.unwrap_or_else(|error| panic!("{}: {error}\n{}", self.name, self.log_end()))
    }

    /// Waits until it says that it is ready.
    pub async fn until_ready(&self) {
        self.until("ready", &|body| body["ready"] == true).await;
    }

    /// Waits until it says that it is ready and everything in it at work.
    pub async fn until_settled(&self) {
        self.until("ready and settled", &|body| body["ready"] == true && body["settled"] != false).await;
    }

    async fn until(&self, what: &str, holds: &dyn Fn(&Value) -> bool) {
        wait_for(&format!("{} being {what}", self.name), async || {
            let body =
                said(&self.process().url).await.map_err(|error| format!("{error}; {}", self.log_end()))?;
            if holds(&body) { Ok(()) } else { Err(body.to_string()) }
        })
        .await;
    }

    /// Waits until the reasons why it is not ready hold `words`.
    pub async fn until_not_ready(&self, words: &str) {
        let holds = |body: &Value| body["ready"] == false && body["not_ready"].to_string().contains(words);
        self.until(&format!("not ready because of {words:?}"), &holds).await;
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of its log, for the message of a test that failed.
    pub fn log_end(&self) -> String {
        let log = self.log();
        let last: Vec<&str> = log.lines().rev().take(30).collect();
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// The keys of the file that `program` does not know, with their sections.
fn unknown_keys(program: &Path, file: &Path) -> Vec<(String, String)> {
    let checked = std::process::Command::new(program).args(["config", "check"]).arg(file).output();
    let checked = checked.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let said = String::from_utf8_lossy(&checked.stderr);
    let unknown = |line: &str| {
        let (before, _) = line.split_once(": is no known key")?;
        let (section, key) = before.rsplit(' ').next()?.split_once('.')?;
        Some((section.to_owned(), key.to_owned()))
    };
    said.lines().filter_map(unknown).collect()
}

/// Waits until the process that serves its pages at `url` is ready and everything in it at work. A version before
/// `settled` was told meant both by `ready`.
pub(super) async fn until_settled(url: &str) {
    until(url, "ready and settled", &|body| body["ready"] == true && body["settled"] != false).await;
}

async fn until(url: &str, what: &str, holds: &dyn Fn(&Value) -> bool) {
    wait_for(&format!("the service at {url} being {what}"), async || {
        let body = said(url).await?;
        if holds(&body) { Ok(()) } else { Err(body.to_string()) }
    })
    .await;
}

async fn said(url: &str) -> Result<Value, String> {
    let url = format!("{}/health/ready", url.trim_end_matches('/'));
    let text = kommuneklient::demo::http::text(&url).await.map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
}
