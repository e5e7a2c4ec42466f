//! Goal: no line is lost or cut while files are rolled, the disk holds no more than was allowed, and nothing that the disk
//! does stops who logs. Method: real files in a folder of their own.

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("kommuneklient-rolling-{name}-{}", std::process::id()));
        let _left_over = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn rolling(&self, size_bytes: u64, kept: u32) -> Rolling {
        Rolling { file: self.0.join("k.log"), size_bytes, kept }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .unwrap()
            .map(|one| one.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn lines_move_to_the_files_of_before_whole_and_the_oldest_go() {
    let folder = Folder::new("order");
    let mut log = RollingFile::open(folder.rolling(10, 2)).unwrap();
    for number in 0..9 {
        log.write(&format!("no {number}\n"));
    }
    assert_eq!(folder.names(), ["k.log", "k.log.1", "k.log.2"]);
    // two lines of five bytes fill a file to the byte
    assert_eq!(folder.text("k.log"), "no 8\n");
    assert_eq!(folder.text("k.log.1"), "no 6\nno 7\n");
    assert_eq!(folder.text("k.log.2"), "no 4\nno 5\n");
}

#[test]
fn a_line_longer_than_the_limit_stands_in_a_file_of_its_own() {
    let folder = Folder::new("long");
    let mut log = RollingFile::open(folder.rolling(10, 3)).unwrap();
    log.write("short\n");
    log.write("a line of more than ten bytes\n");
    log.write("after\n");
    assert_eq!(folder.text("k.log.2"), "short\n");
    assert_eq!(folder.text("k.log.1"), "a line of more than ten bytes\n");
    assert_eq!(folder.text("k.log"), "after\n");
}

#[test]
fn a_new_start_goes_on_behind_what_is_there_and_two_never_write_one_file() {
    let folder = Folder::new("again");
    let mut log = RollingFile::open(folder.rolling(10, 1)).unwrap();
    log.write("first\n");
    let error = RollingFile::open(folder.rolling(10, 1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    drop(log);
    let mut log = RollingFile::open(folder.rolling(10, 1)).unwrap();
    log.write("second\n");
    assert_eq!((folder.text("k.log.1"), folder.text("k.log")), ("first\n".into(), "second\n".into()));
    // after a roll it is locked as well
    let error = RollingFile::open(folder.rolling(10, 1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn without_files_of_before_it_begins_anew() {
    let folder = Folder::new("none");
    let mut log = RollingFile::open(folder.rolling(10, 0)).unwrap();
    log.write("first one\n");
    log.write("second\n");
    assert_eq!(folder.names(), ["k.log"]);
    assert_eq!(folder.text("k.log"), "second\n");
}

#[test]
fn a_file_that_cannot_be_rolled_goes_on_and_is_tried_again() {
    let folder = Folder::new("stuck");
    // nothing can be renamed onto a folder that is not empty
    fs::create_dir_all(folder.0.join("k.log.1").join("in the way")).unwrap();
    let mut log = RollingFile::open(folder.rolling(10, 1)).unwrap();
    for _ in 0..=PATIENCE_LINES {
        log.write("0123456789\n");
    }
    let lines = |name: &str| folder.text(name).lines().count();
    assert_eq!(lines("k.log"), PATIENCE_LINES as usize + 1);
    fs::remove_dir_all(folder.0.join("k.log.1")).unwrap();
    log.write("0123456789\n");
    log.write("0123456789\n");
    assert_eq!(lines("k.log") + lines("k.log.1"), PATIENCE_LINES as usize + 3);
    assert!(folder.names().contains(&"k.log.1".to_owned()));
}

#[test]
fn a_folder_that_is_not_there_is_told_at_once() {
    let folder = Folder::new("absent");
    let options = Rolling { file: folder.0.join("nowhere/k.log"), size_bytes: 10, kept: 1 };
    assert_eq!(RollingFile::open(options).unwrap_err().kind(), io::ErrorKind::NotFound);
}
