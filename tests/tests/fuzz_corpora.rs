//! Goal: no decoder stumbles over what fuzzing begins with, nor again over what it once found. Method: every file of
//! `fuzz/seeds` and `fuzz/findings` through what the fuzz targets run; some of each kind must be taken for messages, so that
//! the seeds go on meaning something.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::fs;
use std::path::Path;

#[path = "../../fuzz/decoders.rs"]
mod decoders;

/// The files of a folder; none when there is no such folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_decoder_bears_its_seeds_and_what_fuzzing_found() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for (name, decoder) in decoders::DECODERS {
        let seeds = files(&fuzz.join("seeds").join(name));
        let findings = files(&fuzz.join("findings").join(name));
        assert!(seeds.len() >= 2, "{name}: only {} seeds; make fuzz-seeds", seeds.len());
        let mut taken = 0;
        for (file, bytes) in seeds.iter().chain(&findings) {
            let outcome = std::panic::catch_unwind(|| decoder(bytes));
            taken += usize::from(outcome.unwrap_or_else(|_| panic!("{name} stumbles over {file}")));
        }
        println!("{name}: {} seeds, {} findings, {taken} taken for messages", seeds.len(), findings.len());
        assert!(taken >= 1, "{name}: none of the seeds is a message");
    }
}
