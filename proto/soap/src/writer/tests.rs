//! Goal: what is written is read back as it was, forbidden characters are dropped, and the limit holds.

use super::*;

fn write(content: impl FnOnce(&mut Writer)) -> String {
    let mut writer = Writer::new(10_000);
    content(&mut writer);
    writer.finish().unwrap()
}

#[test]
fn writes_elements_attributes_and_text() {
    let message = write(|w| {
        w.declaration();
        w.element("a:r", |w| {
            w.attribute("xmlns:a", "urn:a");
            w.attribute("k", "\"<&>'\t\r\n\u{1}\u{ffff}å");
            w.leaf("c", "<&>\"'\r\n\t\u{0}\u{fffe}å");
            w.empty("e");
            w.leaf("f", "");
            w.optional("g", None);
            w.optional("g", Some("x"));
            w.value("n", 7);
            w.format(format_args!("{}<", 1));
        });
    });
    assert_eq!(
        message,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><a:r xmlns:a=\"urn:a\" \
         k=\"&quot;&lt;&amp;&gt;'&#x9;&#xD;&#xA;å\"><c>&lt;&amp;&gt;\"'&#xD;\n\tå</c><e/><f/><g>x</g><n>7</n>1&lt;</a:r>"
    );
}

#[test]
fn elements_without_content_can_be_left_out() {
    let message = write(|w| {
        w.element("r", |w| {
            w.unless_empty("gone", |_| {});
            w.unless_empty("there", |w| w.empty("x"));
            w.unless_empty("gone", |_| {});
        });
    });
    assert_eq!(message, "<r><there><x/></there></r>");
}

#[test]
fn the_limit_is_exact_and_final() {
    let write = |limit: usize| {
        let mut writer = Writer::new(limit);
        writer.leaf("r", "0123456789");
        assert!(writer.len() <= limit);
        writer.finish()
    };
    assert_eq!(write(17).unwrap(), "<r>0123456789</r>");
    assert_eq!(write(16), Err(Error::OutputTooLarge { limit: 16 }));
    assert_eq!(write(0), Err(Error::OutputTooLarge { limit: 0 }));
}
