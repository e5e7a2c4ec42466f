//! An instance of the product as a process: started, killed, stopped and let go on, and brought back when it has
//! ended by itself, as an orchestrator would.
//!
//! What is done to one instance is done one after the other; each act is noted with the observer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kommuneklient::demo::world::Process;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::Mutex;

use super::contract::Act;
use super::error::TortureError;
use super::fault_log::FaultLog;

/// The pause before an instance that ended by itself is started again.
const BACK_AFTER: Duration = Duration::from_millis(200);
/// How often it is looked whether one has ended by itself.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// All instances of a seed. A clone is a handle on the same ones.
#[derive(Debug, Clone)]
pub struct Instances {
    all: Vec<Arc<Mutex<Instance>>>,
    launch: Arc<Launch>,
    endings: Arc<std::sync::Mutex<Endings>>,
    log: FaultLog,
}

/// How instances are started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// `kommuneklient-under-test`.
    pub program: PathBuf,
    /// Their configuration.
    pub configuration: PathBuf,
    /// Where their logs go: `instance-N.log`.
    pub logs: PathBuf,
    /// Variables of the environment that all have.
    pub environment: Vec<(String, String)>,
}

impl Launch {
    /// When this file exists, nobody kills itself at a crash point any more.
    fn called_off(&self) -> PathBuf {
        self.logs.join("crash-points-called-off")
    }
}

#[derive(Debug)]
struct Instance {
    number: u32,
    launch: Arc<Launch>,
    clock_offset_ms: i64,
    process: Option<Process>,
    /// Of the process, or of the last one.
    pid: u32,
    /// The crash points that its process is to die at, each with its pass.
    armed: Vec<(String, u32)>,
    /// How many deaths at crash points its log has told of so far.
    deaths: usize,
    endings: Arc<std::sync::Mutex<Endings>>,
    /// It is down on purpose, and nobody is to bring it back.
    down: bool,
}

/// How often instances ended in ways that nobody told them to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endings {
    /// Crash points that instances were told to die at.
    pub armed: u64,
    /// Crash points that were met.
    pub crash_points: Vec<String>,
    /// Endings by their own decision, with their status.
    pub escalations: Vec<String>,
}

impl Instances {
    /// None of them runs yet.
    pub fn new(launch: Launch, clock_offsets_ms: &[i64], log: FaultLog) -> Self {
        let launch = Arc::new(launch);
        let endings: Arc<std::sync::Mutex<Endings>> = Arc::default();
        let all = (1..)
            .zip(clock_offsets_ms)
            .map(|(number, offset)| {
                Arc::new(Mutex::new(Instance {
                    number,
                    launch: Arc::clone(&launch),
                    clock_offset_ms: *offset,
                    process: None,
                    pid: 0,
                    armed: Vec::new(),
                    deaths: 0,
                    endings: Arc::clone(&endings),
                    down: false,
                }))
            })
            .collect();
        Self { all, launch, endings, log }
    }

    /// How instances ended so far.
    pub fn endings(&self) -> Endings {
        lock(&self.endings).clone()
    }

    fn of(&self, number: u32) -> Option<&Arc<Mutex<Instance>>> {
        self.all.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Starts all that do not run, together.
    ///
    /// # Errors
    /// The first that could not be started.
    pub async fn start_all(&self) -> Result<(), TortureError> {
        let mut starting = tokio::task::JoinSet::new();
        for instance in &self.all {
            let (instance, log) = (Arc::clone(instance), self.log.clone());
            starting.spawn(async move { instance.lock().await.start(&log).await });
        }
        while let Some(started) = starting.join_next().await {
            started.map_err(|error| failed("start an instance", error))??;
        }
        Ok(())
    }

    /// SIGKILL; started again after `away`.
    ///
    /// # Errors
    /// [`TortureError`].
    pub async fn kill(&self, number: u32, away: Duration) -> Result<(), TortureError> {
        let Some(instance) = self.of(number) else { return Ok(()) };
        let mut instance = instance.lock().await;
        instance.kill(&self.log).await?;
        tokio::time::sleep(away).await;
        instance.start(&self.log).await
    }

    /// SIGKILL; started again at once, to kill itself at the first of these crash points that it meets, and after its
    /// next start at another one.
    ///
    /// # Errors
    /// [`TortureError`].
    pub async fn kill_at(&self, number: u32, points: &[(String, u32)]) -> Result<(), TortureError> {
        let Some(instance) = self.of(number) else { return Ok(()) };
        let mut instance = instance.lock().await;
        instance.kill(&self.log).await?;
        let new = points.iter().filter(|(name, _)| instance.armed.iter().all(|(other, _)| other != name));
        let new: Vec<_> = new.cloned().collect();
        lock(&self.endings).armed += u64::try_from(new.len()).unwrap_or(u64::MAX);
        instance.armed.extend(new);
        instance.start(&self.log).await
    }

    /// SIGSTOP, SIGCONT after `pause`.
    ///
    /// # Errors
    /// [`TortureError`].
    pub async fn pause(&self, number: u32, pause: Duration) -> Result<(), TortureError> {
        let Some(instance) = self.of(number) else { return Ok(()) };
        let instance = instance.lock().await;
        if instance.process.is_none() {
            return Ok(());
        }
        let pid = instance.pid;
        self.log.note(Act::Paused { instance: number, pid });
        instance.signal(Signal::STOP)?;
        tokio::time::sleep(pause).await;
        instance.signal(Signal::CONT)?;
        self.log.note(Act::Resumed { instance: number, pid });
        Ok(())
    }

    /// SIGTERM; started again after `away`, with another clock if one is given.
    ///
    /// # Errors
    /// [`TortureError`]: also when it does not end in order.
    pub async fn end(
        &self,
        number: u32,
        away: Duration,
        clock_offset_ms: Option<i64>,
    ) -> Result<(), TortureError> {
        let Some(instance) = self.of(number) else { return Ok(()) };
        let mut instance = instance.lock().await;
        instance.end(&self.log).await?;
        tokio::time::sleep(away).await;
        if let Some(offset) = clock_offset_ms {
            instance.clock_offset_ms = offset;
        }
        instance.start(&self.log).await
    }

    /// SIGTERM to all, and waits.
    ///
    /// # Errors
    /// [`TortureError`]: one that does not end in order.
    pub async fn end_all(&self) -> Result<(), TortureError> {
        let mut ending = tokio::task::JoinSet::new();
        for instance in &self.all {
            let (instance, log) = (Arc::clone(instance), self.log.clone());
            ending.spawn(async move {
                let mut instance = instance.lock().await;
                instance.down = true;
                instance.end(&log).await
            });
        }
        let mut outcome = Ok(());
        while let Some(ended) = ending.join_next().await {
            let ended = ended.unwrap_or_else(|error| Err(failed("end an instance", error)));
            outcome = outcome.and(ended);
        }
        outcome
    }

    /// Kills all, whatever they are doing.
    pub async fn kill_all(&self) {
        for instance in &self.all {
            let mut instance = instance.lock().await;
            instance.down = true;
            // a process that is gone already is what is wanted
            let _gone = instance.kill(&self.log).await;
        }
    }

    /// Nobody kills itself any more. Those that would still do so go on as they are: a kill would heal what they have
    /// forgotten, which is just what the seed is to find.
    ///
    /// # Errors
    /// [`TortureError::File`]: they cannot be told.
    pub async fn disarm(&self) -> Result<(), TortureError> {
        let path = self.launch.called_off();
        std::fs::write(&path, "").map_err(TortureError::file(&path))?;
        for instance in &self.all {
            instance.lock().await.armed.clear();
        }
        Ok(())
    }

    /// Brings back whoever ends by itself, until it is aborted.
    pub async fn keep(self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            for instance in &self.all {
                // one that is locked is being dealt with
                let Ok(mut instance) = instance.try_lock() else { continue };
                if !instance.ended(&self.log) {
                    continue;
                }
                tokio::time::sleep(BACK_AFTER).await;
                if let Err(error) = instance.start(&self.log).await {
                    self.log.say(&format!("instance {} does not come back: {error}", instance.number));
                }
            }
        }
    }
}

impl Instance {
    fn log_path(&self) -> PathBuf {
        log_path(&self.launch.logs, self.number)
    }

    async fn start(&mut self, log: &FaultLog) -> Result<(), TortureError> {
        if self.down || self.process.is_some() {
            return Ok(());
        }
        let arguments =
            ["run".to_owned(), "--config".to_owned(), self.launch.configuration.display().to_string()];
        let offset = ("KOMMUNEKLIENT_CLOCK_OFFSET_MS".to_owned(), self.clock_offset_ms.to_string());
        let launch = Arc::clone(&self.launch);
        let called_off = ("KOMMUNEKLIENT_CRASH_UNLESS".to_owned(), launch.called_off().display().to_string());
        let path = self.log_path();
        let process = loop {
            let points: Vec<String> =
                self.armed.iter().map(|(point, pass)| format!("{point}:{pass}")).collect();
            let armed = ("KOMMUNEKLIENT_CRASH_AT".to_owned(), points.join(","));
            let own = [offset.clone(), called_off.clone(), armed];
            let environment: Vec<_> = launch.environment.iter().cloned().chain(own).collect();
            let program = &launch.program;
            match Process::start_program_with("instance", program, &arguments, &environment, &path).await {
                Ok(process) => break process,
                // it met a crash point before it listened: that one is done with
                Err(_) if self.died_at(log) => {}
                Err(source) => return Err(TortureError::Demo { what: "start an instance", source }),
            }
        };
        self.pid = process.id().unwrap_or_default();
        self.process = Some(process);
        log.note(Act::Started { instance: self.number, pid: self.pid });
        Ok(())
    }

    async fn kill(&mut self, log: &FaultLog) -> Result<(), TortureError> {
        let Some(process) = self.process.take() else { return Ok(()) };
        let pid = self.pid;
        process.kill().await.map_err(TortureError::demo("kill an instance"))?;
        log.note(Act::Killed { instance: self.number, pid });
        // it may have been faster
        self.died_at(log);
        Ok(())
    }

    async fn end(&mut self, log: &FaultLog) -> Result<(), TortureError> {
        let Some(process) = self.process.take() else { return Ok(()) };
        let pid = self.pid;
        match process.stop().await {
            Ok(()) => log.note(Act::Ended { instance: self.number, pid }),
            Err(source) => {
                log.note(Act::Killed { instance: self.number, pid });
                // one that met a point of its ending, or another just then
                if self.died_at(log) {
                    return Ok(());
                }
                return Err(TortureError::Demo { what: "end an instance in order", source });
            }
        }
        Ok(())
    }

    /// Has it ended by itself? Then it is gone from here.
    fn ended(&mut self, log: &FaultLog) -> bool {
        let Some(status) = self.process.as_mut().and_then(Process::ended) else { return false };
        let pid = self.pid;
        self.process = None;
        log.note(Act::Killed { instance: self.number, pid });
        if !self.died_at(log) {
            log.say(&format!("instance {} ended by itself ({status})", self.number));
            let text = std::fs::read(self.log_path()).unwrap_or_default();
            let why = last_errors_in(&String::from_utf8_lossy(&text)).join(" | ");
            lock(&self.endings).escalations.push(format!("instance {}: {status}; {why}", self.number));
        }
        true
    }

    /// Has its log told of a death at a crash point since this was asked the last time? Then that point is taken down,
    /// and it does not die there again.
    fn died_at(&mut self, log: &FaultLog) -> bool {
        let text = std::fs::read(self.log_path()).unwrap_or_default();
        let told = deaths_in(&String::from_utf8_lossy(&text));
        let new = told.get(self.deaths..).unwrap_or_default();
        for point in new {
            log.say(&format!("instance {} died at {point}", self.number));
            self.armed.retain(|(armed, _)| armed != point);
            lock(&self.endings).crash_points.push(point.clone());
        }
        self.deaths = told.len();
        !new.is_empty()
    }

    fn signal(&self, signal: Signal) -> Result<(), TortureError> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let (Some(pid), Some(_)) = (pid, &self.process) else { return Ok(()) };
        kill_process(pid, signal).map_err(|error| failed("signal an instance", error))
    }
}

/// The crash points that a log tells of, in order.
fn deaths_in(log: &str) -> Vec<String> {
    let told = log.lines().filter_map(|line| line.trim().strip_prefix("killed at the crash point "));
    told.map(str::to_owned).collect()
}

/// The last errors that a log tells of, in order, shortened.
fn last_errors_in(log: &str) -> Vec<String> {
    let errors = log.lines().rev().filter(|line| line.contains("\"level\":\"ERROR\"")).take(ERRORS_TOLD);
    let mut errors: Vec<String> = errors.map(|line| line.chars().take(ERROR_CHARACTERS).collect()).collect();
    errors.reverse();
    errors
}

/// Errors that are told of an instance that ended by its own decision, and how much of each.
const ERRORS_TOLD: usize = 3;
const ERROR_CHARACTERS: usize = 400;

fn lock(endings: &std::sync::Mutex<Endings>) -> std::sync::MutexGuard<'_, Endings> {
    endings.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The log of an instance.
pub fn log_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("instance-{number}.log"))
}

fn failed(what: &'static str, error: impl ToString) -> TortureError {
    TortureError::Process { what, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    //! Goal: a death at a crash point is known from the log, each once; and the last errors before an ending.
    use super::*;

    #[test]
    fn deaths_are_told_by_the_log() {
        let log = "{\"message\":\"listening\"}\nkilled at the crash point lease.taken\n{}\n\
                   killed at the crash point qualifier.claimed\n";
        assert_eq!(deaths_in(log), ["lease.taken", "qualifier.claimed"]);
        assert!(deaths_in("told to panic at lease.taken").is_empty());
    }

    #[tokio::test]
    async fn crash_points_are_called_off_by_a_file_and_later_starts_know_of_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let launch = Launch {
            program: PathBuf::from("/nowhere"),
            configuration: PathBuf::from("/nowhere"),
            logs: folder.path().to_owned(),
            environment: Vec::new(),
        };
        let path = launch.called_off();
        let instances = Instances::new(launch, &[0], FaultLog::new(base::SystemClock::shared()));
        instances.all[0].lock().await.armed.push(("lease.taken".to_owned(), 1));
        assert!(!path.exists());
        instances.disarm().await.expect("it is told");
        assert!(path.exists() && instances.all[0].lock().await.armed.is_empty());
    }

    #[test]
    fn the_last_errors_are_told_in_order() {
        let lines: Vec<String> = (1..=5)
            .flat_map(|n| [format!("{{\"level\":\"ERROR\",\"n\":{n}}}"), "{\"level\":\"INFO\"}".to_owned()])
            .collect();
        let told = last_errors_in(&lines.join("\n"));
        assert_eq!(told.len(), 3);
        assert!(told[0].contains(":3}") && told[2].contains(":5}"), "{told:?}");
        assert_eq!(last_errors_in(&format!("\"level\":\"ERROR\"{}", "x".repeat(900)))[0].len(), 400);
    }
}
