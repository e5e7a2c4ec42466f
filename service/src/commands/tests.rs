//! Goal: who acts is always somebody; missing tables are told as such. Method: values.

use super::*;

#[test]
fn somebody_is_named() {
    let named = |by: Option<&str>| Who { by: by.map(ToOwned::to_owned) }.name();
    assert_eq!(named(Some("kim")), "kim");
    assert!(!named(None).is_empty());
    assert_eq!(named(Some("  ")), named(None));
}
