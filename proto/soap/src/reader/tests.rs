//! Goal: elements are known by namespace and local name whatever the prefixes; every limit holds; what
//! SOAP forbids is refused even where nobody looks; no input panics.

use proptest::prelude::*;

use super::*;

fn reader(text: &str) -> Reader<'_> {
    Reader::new(text.as_bytes(), Limits::standard()).unwrap()
}

/// Reads everything as a tree, to the end of the document.
fn read_all(message: &[u8], limits: Limits) -> Result<crate::Node, Error> {
    let mut reader = Reader::new(message, limits)?;
    let root = reader.root()?;
    let node = reader.node(&root)?;
    reader.finish()?;
    Ok(node)
}

fn error_of(text: &str) -> Error {
    read_all(text.as_bytes(), Limits::standard()).unwrap_err()
}

#[test]
fn prefixes_do_not_matter() {
    for text in [
        r#"<a:r xmlns:a="urn:x"><a:c k="1">v</a:c></a:r>"#,
        r#"<r xmlns="urn:x"><c k="1">v</c></r>"#,
        r#"<r xmlns="urn:x"><z:c xmlns:z="urn:x" k="1">v</z:c></r>"#,
        "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\r\n<!-- c --><?pi x?><r xmlns='urn:x'><c k='1'>v</c></r>\n",
    ] {
        let mut reader = reader(text);
        let root = reader.root().unwrap();
        assert_eq!(root.name(), ("urn:x", "r"), "{text}");
        let child = reader.child(&root).unwrap().unwrap();
        assert!(child.is("urn:x", "c"));
        assert_eq!(child.attribute("k"), Some("1"), "attributes without prefix have no namespace");
        assert_eq!(reader.text(&child).unwrap(), "v");
        assert_eq!(reader.child(&root).unwrap(), None);
        reader.finish().unwrap();
    }
}

/// Found by fuzzing: a name that is no text of XML was taken as it stood, and what XML's own namespace is was asked of the
/// text and not of what it says.
#[test]
fn namespace_names_are_attribute_values() {
    let namespace = |text: &str| reader(text).root().unwrap().namespace().to_owned();
    assert_eq!(namespace("<r xmlns='urn:\0a'/>"), "urn:\u{fffd}a");
    assert_eq!(namespace("<a:r xmlns:a='urn:\ta\r\nb'/>"), "urn: a b");
    assert_eq!(namespace("<r xmlns='urn:\u{e6}'/>"), "urn:\u{e6}");
    let disguised = crate::XML_NS.replace("http", "&#104;ttp");
    assert!(matches!(error_of(&format!("<a:r xmlns:a='{disguised}'/>")), Error::Malformed { .. }));
    assert_eq!(namespace(&format!("<r xmlns:xml='{disguised}'/>")), "");
}

/// Found by fuzzing: anything was taken for a name.
#[test]
fn names_are_names() {
    for name in ["a:b:c", "a:b\0c", "a:1", "a:b\u{7}", "-a", "a:", "a'b", "a&b"] {
        let declared = format!("<r xmlns:a='urn:a'><{name}/></r>");
        assert!(matches!(error_of(&declared), Error::Malformed { .. }), "{name:?}");
        let attribute = format!("<r xmlns:a='urn:a' {name}='1'/>");
        assert!(matches!(error_of(&attribute), Error::Malformed { .. }), "{name:?}");
    }
    for name in ["a:b", "_", "b-1.c", "s\u{f8}", "a:\u{20000}\u{b7}"] {
        read_all(format!("<r xmlns:a='urn:a'><{name} {name}='1'/></r>").as_bytes(), Limits::standard())
            .unwrap();
    }
}

/// What is decided in one go for ASCII is what the recommendation says of each letter.
#[test]
fn names_of_ascii_are_names() {
    for letter in 0_u8..=127 {
        let letter = char::from(letter);
        let begins = letter.is_ascii_alphabetic() || letter == '_';
        let goes_on = begins || letter.is_ascii_digit() || matches!(letter, '-' | '.');
        assert_eq!(escape::is_name(&letter.to_string()), begins, "{letter:?}");
        assert_eq!(escape::is_name(&format!("a{letter}b")), goes_on, "{letter:?}");
        assert_eq!(escape::is_name(&format!("\u{e6}{letter}")), goes_on, "{letter:?}");
    }
    assert!(!escape::is_name(""));
}

#[test]
fn a_message_that_is_looked_through_is_given_as_text() {
    let check = |text: &'static str| Reader::check(text.as_bytes(), Limits::standard());
    assert_eq!(check("\u{feff}<a/>\n"), Ok("<a/>\n"));
    for wrong in
        ["", " ", "x<a/>", "<a/>x", "<a/><a/>", "<a>", "<p:a/>", "<a p:b='1'/>", "<a><1/></a>", "<a>&x;</a>"]
    {
        assert!(check(wrong).is_err(), "{wrong}");
    }
    assert!(matches!(check("<!DOCTYPE a><a/>"), Err(Error::Doctype { .. })));
    assert!(matches!(Reader::check(b"\xff", Limits::standard()), Err(Error::NotUtf8 { at: 0 })));
    assert_eq!(check("2c\r\n<a/>"), Err(Error::BrokenProxy));
}

#[test]
fn namespace_names_may_hold_references() {
    let mut reader = reader("<r xmlns='urn:a?x&amp;y'/>");
    assert_eq!(reader.root().unwrap().namespace(), "urn:a?x&y");
}

#[test]
fn text_is_put_together_and_decoded() {
    for (inner, expected) in [
        ("a &amp; b &lt;&gt;&quot;&apos;", "a & b <>\"'"),
        ("&#229;&#xE5;&#x1F600;", "åå\u{1f600}"),
        ("<![CDATA[<not> &amp;]]>tail", "<not> &amp;tail"),
        ("one<!-- c -->two<?pi?>three", "onetwothree"),
        ("one<inner>no</inner>two", "onetwo"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("  kept  ", "  kept  "),
        ("", ""),
    ] {
        let text = format!("<r>{inner}</r>");
        let mut reader = reader(&text);
        let root = reader.root().unwrap();
        assert_eq!(reader.text(&root).unwrap(), expected, "{inner}");
        assert_eq!(reader.text(&root).unwrap(), "", "an element is read once");
        reader.finish().unwrap();
    }
}

#[test]
fn forbidden_characters_become_replacements() {
    for inner in ["a&#x0;b", "a&#0;b", "a&#x1F;b", "a&#xFFFF;b", "a&#xD800;b", "a&#x110000;b", "a\u{1}b"] {
        let text = format!("<r k=\"{inner}\">{inner}</r>");
        let mut reader = reader(&text);
        let root = reader.root().unwrap();
        assert_eq!(root.attribute("k"), Some("a\u{fffd}b"), "{inner:?}");
        assert_eq!(reader.text(&root).unwrap(), "a\u{fffd}b", "{inner:?}");
    }
}

#[test]
fn attributes_are_normalised() {
    let mut reader = reader("<r xmlns:p='urn:p' a='x\r\ny\tz\n&#xA;' p:a='&amp;&lt;' b=' 7 ' c='x'/>");
    let root = reader.root().unwrap();
    assert_eq!(root.attribute("a"), Some("x y z \n"));
    assert_eq!(root.attribute_ns("urn:p", "a"), Some("&<"));
    assert_eq!(root.attributes().len(), 4, "declarations are not attributes");
    assert_eq!(root.parse_attribute::<u8>("b"), Ok(Some(7)));
    assert_eq!(root.parse_attribute::<u8>("none"), Ok(None));
    assert!(matches!(root.parse_attribute::<u8>("c"), Err(Error::Value { name, .. }) if name == "c"));
    assert_eq!(root.require("none"), Err(Error::Missing { name: "none" }));
}

#[test]
fn unread_parts_are_skipped() {
    let text = "<r><a><b>1</b><b>2</b></a><c>3</c><d><e/></d></r>";
    let mut reader = reader(text);
    let root = reader.root().unwrap();
    let mut seen = Vec::new();
    reader
        .children(&root, |reader, child| {
            match child.local() {
                // Leaves the second b and the rest of a unread.
                "a" => {
                    let b = reader.child(child)?.unwrap();
                    seen.push(reader.text(&b)?);
                }
                "c" => seen.push(reader.text(child)?),
                other => seen.push(other.to_owned()),
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(seen, ["1", "3", "d"]);
    reader.finish().unwrap();
}

#[test]
fn typed_texts() {
    let text = "<r><a> true </a><a>0</a><a>yes</a><n>\n42 </n><n>x</n></r>";
    let mut reader = reader(text);
    let root = reader.root().unwrap();
    fn next<'i>(reader: &mut Reader<'i>, parent: &Element<'_>) -> Element<'i> {
        reader.child(parent).unwrap().unwrap()
    }
    let child = next(&mut reader, &root);
    assert_eq!(reader.boolean(&child), Ok(true));
    let child = next(&mut reader, &root);
    assert_eq!(reader.boolean(&child), Ok(false));
    let child = next(&mut reader, &root);
    assert!(matches!(reader.boolean(&child), Err(Error::Value { .. })));
    let child = next(&mut reader, &root);
    assert_eq!(reader.parse::<i32>(&child), Ok(42));
    let child = next(&mut reader, &root);
    assert!(matches!(reader.parse::<i32>(&child), Err(Error::Value { name, .. }) if name == "n"));
}

#[test]
fn nil_and_names_in_text() {
    let text = r#"<r xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"><c xmlns:a="urn:a">a:X</c></r>"#;
    let mut reader = reader(text);
    let root = reader.root().unwrap();
    assert!(root.is_nil());
    let child = reader.child(&root).unwrap().unwrap();
    assert!(!child.is_nil());
    assert_eq!(reader.text(&child).unwrap(), "a:X");
    assert_eq!(reader.resolve("a:X"), (Some("urn:a".to_owned()), "X"));
    assert_eq!(reader.resolve("b:X"), (None, "X"));
    assert_eq!(reader.resolve("X"), (None, "X"));
}

#[test]
fn what_soap_forbids_is_refused_even_in_skipped_parts() {
    assert!(matches!(error_of("<!DOCTYPE r><r/>"), Error::Doctype { .. }));
    assert!(matches!(error_of("<!DOCTYPE r [<!ENTITY a 'x'>]><r>&a;</r>"), Error::Doctype { .. }));
    assert!(matches!(error_of("<r>&a;</r>"), Error::Entity { .. }));
    assert!(matches!(error_of("<r k='&a;'/>"), Error::Entity { .. }));
    let mut reader = reader("<r><skipped>&nbsp;</skipped></r>");
    let root = reader.root().unwrap();
    assert!(matches!(reader.skip(&root), Err(Error::Entity { .. })));
}

#[test]
fn damaged_documents_are_errors() {
    for text in [
        "",
        "  ",
        "text",
        "<r>",
        "<r><c></r>",
        "</r>",
        "<r></s>",
        "<r/><r/>",
        "<r/>text",
        "text<r/>",
        "<r>&#xZ;</r>",
        "<r>&#;</r>",
        "<r>& b</r>",
        "<r k='&amp'/>",
        "<r k=1/>",
        "<r k='1' k='2'/>",
        "<p:r/>",
        "<r p:k='1'/>",
        "<r",
        "<r k='",
        "<r><![CDATA[",
        "<r><!-- ",
        "<![CDATA[x]]><r/>",
        "<r/><![CDATA[x]]>",
    ] {
        let error = error_of(text);
        assert!(matches!(error, Error::Malformed { .. }), "{text:?}: {error:?}");
        assert!(error.disposition().is_retry());
    }
}

#[test]
fn other_encodings_are_refused() {
    for message in [
        &b"<r>\xe5</r>"[..],
        b"\xff\xfe<\0r\0/\0>\0",
        b"<?xml version='1.0' encoding='iso-8859-1'?><r/>",
        b"<?xml version='1.0' encoding='utf-16'?><r/>",
    ] {
        let error = read_all(message, Limits::standard()).unwrap_err();
        assert!(matches!(error, Error::NotUtf8 { .. }), "{error:?}");
    }
    assert!(read_all(b"<?xml version='1.0' encoding='US-ASCII'?><r/>", Limits::standard()).is_ok());
}

#[test]
fn chunk_lengths_are_a_broken_proxy() {
    for text in ["1f4\r\n<r/>", "0\r\n", "00001F40\r\n<?xml version='1.0'?><r/>"] {
        let error = Reader::new(text.as_bytes(), Limits::standard()).unwrap_err();
        assert_eq!(error, Error::BrokenProxy, "{text:?}");
    }
    for text in ["abc", "000000001\r\n<r/>", "\r\n<r/>", "12\n<r/>"] {
        assert!(Reader::new(text.as_bytes(), Limits::standard()).is_ok(), "{text:?}");
    }
}

#[test]
fn every_limit_holds_exactly() {
    let small = Limits { bytes: 1000, depth: 3, text: 10, attributes: 2, elements: 5 };
    let passes = |text: &str| read_all(text.as_bytes(), small).is_ok();
    let what = |text: &str| match read_all(text.as_bytes(), small) {
        Err(Error::Limit { what, .. }) => what,
        other => panic!("{text}: {other:?}"),
    };
    assert!(passes("<a><b><c/></b></a>"));
    assert_eq!(what("<a><b><c><d/></c></b></a>"), "open elements");
    assert!(passes("<a><b/><b/><b/><b/></a>"));
    assert_eq!(what("<a><b/><b/><b/><b/><b/></a>"), "elements");
    assert!(passes("<a>0123456789</a>"));
    assert_eq!(what("<a>0123456789x</a>"), "bytes of text");
    assert_eq!(what("<a>012345678<![CDATA[9x]]></a>"), "bytes of text", "pieces count together");
    assert_eq!(what("<a>0123456789&amp;</a>"), "bytes of text");
    assert!(passes("<a x='1' y='2'/>"));
    assert_eq!(what("<a x='1' y='2' z='3'/>"), "attributes");
    assert_eq!(what("<a xmlns:x='1' xmlns:y='2' z='3'/>"), "attributes");
    assert_eq!(what("<a x='0123456789x'/>"), "bytes in an attribute");
    let long = format!("<{}/>", "n".repeat(NAME_BYTES_MAX + 1));
    let error = read_all(long.as_bytes(), Limits::standard()).unwrap_err();
    assert!(matches!(error, Error::Limit { what: "bytes in a name", .. }));
    let large = format!("<a>{}</a>", " ".repeat(1000));
    assert_eq!(
        Reader::new(large.as_bytes(), small).unwrap_err(),
        Error::TooLarge { bytes: 1007, limit: 1000 }
    );
}

#[test]
fn depth_has_a_limit_of_its_own() {
    let deep = "<a>".repeat(100_000);
    let error = read_all(deep.as_bytes(), Limits { depth: usize::MAX, ..Limits::standard() }).unwrap_err();
    assert!(matches!(error, Error::Limit { what: "open elements", limit: Limits::DEPTH_MAX, .. }));
}

#[test]
fn errors_repeat_no_text_of_the_message() {
    let secret = "hemmeligt";
    for text in [
        format!("<r><{secret}></r>"),
        format!("<r></{secret}>"),
        format!("<r>&{secret};</r>"),
        format!("<r {secret}/>"),
        format!("<r>{secret}"),
    ] {
        let error = error_of(&text);
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
}

/// Depth, elements, longest text and most attributes of a tree.
fn measure(node: &crate::Node) -> (usize, usize, usize, usize) {
    let own = (1, 1, node.text.len(), node.attributes.len());
    node.children.iter().map(measure).fold(own, |all, child| {
        (all.0.max(child.0 + 1), all.1 + child.1, all.2.max(child.2), all.3.max(child.3))
    })
}

/// Markup that is often nearly right.
fn markup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<a>",
        "</a>",
        "<b x='1'>",
        "</b>",
        "<a/>",
        "text",
        "&amp;",
        "&#x0;",
        "&x;",
        "<![CDATA[c]]>",
        "<!--c-->",
        "<?p?>",
        "xmlns='u'",
        "<b x='1' p:x='2' x='3'>",
        "<",
        ">",
        "'",
        "\"",
        "&",
        ";",
        "<!DOCTYPE a>",
        "<p:a xmlns:p='q'>",
        "</p:a>",
        "\r\n",
        "]]>",
        "å",
        "<a b='",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Elements within each other, with few names and prefixes that are declared here and there, and declared anew.
fn nested() -> impl Strategy<Value = String> {
    let declarations = prop::collection::btree_map(
        prop::sample::select(vec!["xmlns", "xmlns:p", "xmlns:q"]),
        prop::sample::select(vec!["urn:u", "urn:v", "urn:&#119;", "urn:\u{ef}"]),
        0..3,
    );
    let name = prop::sample::select(vec!["a", "b", "p:a", "p:b", "q:a", "xml:a"]);
    let start = (name, declarations).prop_map(|(name, declared)| {
        let declared = declared.iter().map(|(prefix, namespace)| format!(" {prefix}='{namespace}'"));
        (name, declared.collect::<String>())
    });
    let leaf = start.clone().prop_map(|(name, declared)| format!("<{name}{declared}/>"));
    let tree = leaf.prop_recursive(5, 40, 5, move |inner| {
        (start.clone(), prop::collection::vec(inner, 0..5))
            .prop_map(|((name, declared), inner)| format!("<{name}{declared}>{}</{name}>", inner.concat()))
    });
    // most trees use a prefix somewhere that nothing around declares: in half of them all are declared at the root
    (tree, any::<bool>()).prop_map(|(tree, is_declared)| match is_declared {
        true => format!("<r xmlns:p='urn:p' xmlns:q='urn:q'>{tree}</r>"),
        false => tree,
    })
}

/// The names of all elements by quick-xml's own resolver; `None` where a prefix is not declared.
fn resolved(text: &str) -> Option<Vec<(String, String)>> {
    use quick_xml::name::ResolveResult;

    let mut reader = quick_xml::NsReader::from_str(text);
    let mut names = Vec::new();
    loop {
        let (namespace, event) = reader.read_resolved_event().unwrap();
        let (Event::Start(start) | Event::Empty(start)) = event else {
            if event == Event::Eof {
                return Some(names);
            }
            continue;
        };
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => {
                quick_xml::escape::unescape(namespace.as_ref()).unwrap().into_owned()
            }
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => return None,
        };
        names.push((namespace, start.local_name().as_ref().to_owned()));
    }
}

/// The same by ours.
fn named(text: &str) -> Result<Vec<(String, String)>, Error> {
    fn walk(
        reader: &mut Reader<'_>,
        element: &Element<'_>,
        names: &mut Vec<(String, String)>,
    ) -> Result<(), Error> {
        names.push((element.namespace().to_owned(), element.local().to_owned()));
        while let Some(child) = reader.child(element)? {
            walk(reader, &child, names)?;
        }
        Ok(())
    }
    let (mut reader, mut names) = (reader(text), Vec::new());
    let root = reader.root()?;
    walk(&mut reader, &root, &mut names)?;
    reader.finish().map(|()| names)
}

/// Names are remembered as long as their prefixes stand for the same, and no longer.
#[test]
fn a_name_that_was_met_before_means_what_its_prefix_means_now() {
    let text =
        "<p:r xmlns:p='u'><p:a/><p:m xmlns:p='v'><p:a/></p:m><p:a/><a/><m xmlns='w'><a/></m><a/></p:r>";
    let names = named(text).unwrap();
    let names: Vec<String> = names.iter().map(|(namespace, local)| format!("{namespace} {local}")).collect();
    assert_eq!(names, ["u r", "u a", "v m", "v a", "u a", " a", "w m", "w a", " a"]);
    assert!(named("<r><m xmlns:p='u'><p:a/></m><p:a/></r>").is_err(), "declared no longer");
}

/// What is there twice is refused: an attribute, a declaration.
#[test]
fn what_is_there_twice_is_refused() {
    for text in [
        "<r a='1' b='2' a='1'/>",
        "<r xmlns:p='u' p:a='1' a='2' p:a='3'/>",
        "<r xmlns:p='u' xmlns:p='u'/>",
        "<r xmlns='u' a='1' xmlns='v'/>",
        "<r><s a='1' a='2'/></r>",
        "<r xmlns:=''/>",
        "<r xmlns:xml='http://www.w3.org/XML/1998/namespace' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<r xmlns:p='u' xmlns:q='u' p:a='1' q:a='2'/>",
        "<r p:a='1' q:b='2' q:a='3' xmlns:p='u' xmlns:q='&#117;'/>",
    ] {
        assert!(matches!(error_of(text), Error::Malformed { .. }), "{text}");
        assert!(Reader::check(text.as_bytes(), Limits::standard()).is_err(), "{text}");
    }
    let good =
        "<r xmlns:p='u' a='1' p:a='2' xmlns='u' xmlns:q='v'><s xmlns:p='w' a='1' p:a='2' q:a='3'/></r>";
    assert_eq!(read_all(good.as_bytes(), Limits::standard()).unwrap().children.len(), 1);
}

/// Regression: each element of a tree bears the name of its namespace, so a long one, declared once, was written down a million
/// times.
#[test]
fn the_name_of_a_namespace_is_bounded_and_shared() {
    let tree = read_all(b"<r xmlns='u' xmlns:p='u' p:a='1'><s/></r>", Limits::standard()).unwrap();
    assert!(Arc::ptr_eq(&tree.namespace, &tree.children[0].namespace));
    assert!(Arc::ptr_eq(&tree.namespace, &tree.attributes[0].namespace));
    let named = |bytes| format!("<r xmlns='{}'><s/></r>", "u".repeat(bytes));
    assert_eq!(
        read_all(named(1_024).as_bytes(), Limits::standard()).unwrap().children[0].namespace.len(),
        1_024
    );
    for text in [named(1_025), format!("<r>{}</r>", named(1_025).replace("xmlns", "xmlns:p"))] {
        let error = error_of(&text);
        assert!(matches!(error, Error::Limit { limit: 1_024, .. }), "{error:?}");
        assert!(Reader::check(text.as_bytes(), Limits::standard()).is_err());
    }
}

/// What tells that nothing is to be replaced never says so wrongly.
#[test]
fn tidy_text_is_text_that_stays_as_it_is() {
    for character in (0..=0x2_ffff_u32).filter_map(char::from_u32) {
        let text = format!("{}{character}{}", "x".repeat(250), "y".repeat(20));
        if escape::is_tidy(&text) {
            assert!(escape::is_legal(character) && character != '\r', "{character:?}");
        }
        // all of ASCII that is, is said to be
        let is_usual = character.is_ascii() && escape::is_legal(character) && character != '\r';
        assert!(escape::is_tidy(&text) || !is_usual, "{character:?}");
    }
    assert!(escape::is_tidy("") && escape::is_tidy("\u{e6}\u{f8}\u{e5}\t\n"));
}

/// Everything read and nothing wanted, by the reader that makes elements.
fn walked(message: &[u8], limits: Limits) -> Result<(), Error> {
    let mut reader = Reader::new(message, limits)?;
    reader.root()?;
    reader.finish()
}

proptest! {
    /// Looking through refuses what reading refuses, for the same reason at the same place, and nothing else.
    #[test]
    fn looking_through_says_what_reading_says(text in markup(), depth in 0usize..6, elements in 0usize..12,
                                              attributes in 0usize..3, length in 0usize..8) {
        let limits = Limits { bytes: 10_000, depth, text: length, attributes, elements };
        prop_assert_eq!(Reader::check(text.as_bytes(), limits).map(drop), walked(text.as_bytes(), limits));
        let standard = Limits::standard();
        prop_assert_eq!(Reader::check(text.as_bytes(), standard).map(drop), walked(text.as_bytes(), standard));
    }

    /// Names are resolved as quick-xml resolves them, however prefixes are declared and declared anew.
    #[test]
    fn names_are_resolved_as_by_the_library(text in nested()) {
        prop_assert_eq!(named(&text).ok(), resolved(&text), "{}", text);
    }

    #[test]
    fn arbitrary_bytes_never_panic(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_all(&message, Limits::standard());
    }

    #[test]
    fn near_xml_never_panics_and_stays_within_limits(text in markup(), depth in 0usize..6,
                                                     elements in 0usize..12, attributes in 0usize..3,
                                                     length in 0usize..8) {
        let limits = Limits { bytes: 10_000, depth, text: length, attributes, elements };
        if let Ok(node) = read_all(text.as_bytes(), limits) {
            let seen = measure(&node);
            prop_assert!(seen.0 <= depth && seen.1 <= elements && seen.2 <= length && seen.3 <= attributes);
        }
    }
}
