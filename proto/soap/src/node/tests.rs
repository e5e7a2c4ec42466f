//! Goal: any tree survives writing and reading, whatever its texts and namespaces.

use proptest::prelude::*;

use super::*;
use crate::Limits;

fn read(text: &str) -> Node {
    let mut reader = Reader::new(text.as_bytes(), Limits::standard()).unwrap();
    let root = reader.root().unwrap();
    reader.node(&root).unwrap()
}

#[test]
fn finds_by_name() {
    let node = read("<r><a xmlns='urn:a' k='1'>x<b>y</b>z</a>\n<c/></r>");
    assert_eq!(node.text, "", "white space between children is dropped");
    let a = node.child("urn:a", "a").unwrap();
    assert_eq!((a.text.as_str(), a.attribute("k")), ("xz", Some("1")));
    assert_eq!(node.child("", "a"), None);
    assert_eq!(node.find("b").map(|b| b.text.as_str()), Some("y"));
    assert_eq!(node.find("d"), None);
}

/// Any text that XML can hold, with everything that needs escaping.
fn text() -> impl Strategy<Value = String> {
    let legal = any::<char>().prop_filter("legal in XML", |c| crate::reader::escape::is_legal(*c));
    let character = prop_oneof![
        prop::sample::select(vec!['<', '>', '&', '"', '\'', '\r', '\n', '\t', ']', ' ', ';', 'å']),
        legal,
    ];
    prop::collection::vec(character, 0..12).prop_map(String::from_iter)
}

fn namespace() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "urn:a", "urn:b?x&y"]).prop_map(str::to_owned)
}

fn attributes() -> impl Strategy<Value = Vec<NodeAttribute>> {
    let one = (namespace(), "[a-z]{1,4}", text());
    prop::collection::btree_map("[a-z]{1,4}", one, 0..3).prop_map(|map| {
        // The same name in two namespaces that are one would be a duplicate: the key makes names differ.
        let with_name = |(key, (namespace, _, value)): (String, (String, String, String))| NodeAttribute {
            namespace: namespace.into(),
            local: key,
            value,
        };
        map.into_iter().map(with_name).collect()
    })
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = (namespace(), "[A-Za-z_][A-Za-z0-9_.-]{0,6}", attributes(), text()).prop_map(
        |(namespace, local, attributes, text)| Node {
            namespace: namespace.into(),
            local,
            attributes,
            text,
            children: Vec::new(),
        },
    );
    leaf.prop_recursive(4, 24, 4, |inner| {
        let parts = (namespace(), "[A-Za-z]{1,5}", attributes(), prop::collection::vec(inner, 1..4));
        parts.prop_map(|(namespace, local, attributes, children)| Node {
            namespace: namespace.into(),
            local,
            attributes,
            text: String::new(),
            children,
        })
    })
}

proptest! {
    #[test]
    fn survives_writing_and_reading(node in node()) {
        let mut writer = Writer::new(1 << 20);
        node.write(&mut writer, "");
        let message = writer.finish().unwrap();
        prop_assert_eq!(read(&message), node);
    }
}
