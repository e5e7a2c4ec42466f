//! What processes use, by `/proc`: memory, and processor time of a process or of a server with its children.

use std::path::Path;

/// The kernel counts processor time in hundredths of a second for everybody who reads `/proc` (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory of a process in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Resident, with what it shares with others (libraries, its own program file).
    pub(crate) resident: u64,
    /// Its own alone.
    pub(crate) private: u64,
}

/// The memory of a process.
pub(crate) fn memory(pid: u32) -> Memory {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process runs");
    let sum = |names: &[&str]| -> u64 {
        let of = |line: &str| {
            let (name, value) = line.split_once(':')?;
            names.contains(&name).then(|| value.trim().trim_end_matches(" kB").parse::<u64>().ok())?
        };
        rollup.lines().filter_map(of).sum::<u64>() << 10
    };
    Memory { resident: sum(&["Rss"]), private: sum(&["Private_Clean", "Private_Dirty"]) }
}

/// Processor seconds of a process so far, all its threads together.
pub(crate) fn cpu_s(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |stat| stat.own / TICKS_PER_SECOND)
}

/// Processor seconds so far of a server that makes a process a connection: of itself, of its children, and of those
/// children that have ended.
pub(crate) fn cpu_with_children_s(pid: u32) -> f64 {
    let Some(server) = stat(pid) else { return 0.0 };
    let processes = std::fs::read_dir("/proc").expect("Linux has /proc");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let children: f64 = pids.filter_map(stat).filter(|one| one.parent == pid).map(|one| one.own).sum();
    (server.own + server.ended_children + children) / TICKS_PER_SECOND
}

/// The process that serves the embedded database of this folder.
pub(crate) fn postmaster(data_dir: &Path) -> u32 {
    let file = data_dir.join("cluster").join("postmaster.pid");
    let text = std::fs::read_to_string(file).expect("the embedded server runs");
    text.lines().next().and_then(|line| line.trim().parse().ok()).expect("the first line is its number")
}

/// The load of the machine, to be said beside a figure.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// What `/proc/PID/stat` says; times in ticks.
struct Stat {
    parent: u32,
    own: f64,
    ended_children: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name, in parentheses, may hold anything
    let (_, after) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = after.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        ended_children: number(13)? + number(14)?,
    })
}
