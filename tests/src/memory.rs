//! How much memory a process of this machine uses.

/// The resident memory of a process in bytes, by `/proc`; `None` when there is no such process.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kilobytes.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_and_used_shows() {
        let me = std::process::id();
        let before = resident_bytes(me).unwrap();
        let used = vec![7_u8; 64 << 20];
        let after = resident_bytes(me).unwrap();
        assert!(after > before + (50 << 20), "{before} then {after}, {}", used[used.len() - 1]);
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
