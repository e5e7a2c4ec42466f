//! Bounded memory: no instance ever uses more than the run allows.

use std::collections::BTreeMap;

use super::{MEMORY, violation};
use crate::torture::contract::Violation;

/// The most memory (resident, bytes) that each process was seen to use.
pub type Peaks = BTreeMap<u32, u64>;

/// The processes that used more than `allowed` bytes.
pub fn check(peaks: &Peaks, allowed: u64) -> Vec<Violation> {
    let over = peaks.iter().filter(|(_, peak)| **peak > allowed);
    over.map(|(pid, peak)| {
        violation(MEMORY, None, format!("process {pid} used {peak} bytes of memory, not {allowed}"))
    })
    .collect()
}

/// The peak of resident memory in a `/proc/PID/status`, in bytes.
pub fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_allowed_is_caught() {
        let peaks = Peaks::from([(7, 1_000), (8, 1_001)]);
        assert_eq!(check(&peaks, 1_001), []);
        let found = check(&peaks, 1_000);
        assert_eq!(found.len(), 1);
        assert!(found[0].words.starts_with("process 8 used 1001"), "{found:?}");
    }

    #[test]
    fn the_system_tells_the_peak_since_the_start() {
        let status = "Name:\tx\nVmPeak:\t  90000 kB\nVmHWM:\t   12345 kB\nVmRSS:\t   99 kB\n";
        assert_eq!(peak_in(status), Some(12_345 * 1024));
        assert_eq!(peak_in("Name:\tzombie\n"), None);
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(peak_in(&own).unwrap() > 1024 * 1024);
    }
}
