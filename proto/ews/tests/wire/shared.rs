//! The reference material beside the workspace, for the tests that use it.

use std::path::PathBuf;

/// The folder `name` of the reference material, or `None` after saying why the test is skipped.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("KOMMUNEKLIENT_SHARED") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no reference material at {}; set KOMMUNEKLIENT_SHARED", folder.display());
    None
}
