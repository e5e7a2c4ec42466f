//! Goal: what is digested is exclusive canonical XML and nothing of our own. Method: a table written by hand
//! from the recommendation; generated documents, of which each element must come out as bergshamra renders it
//! from the whole document and its set of nodes; and laws that hold of any canonical form.

use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::nodeset::NodeSet;
use proptest::prelude::*;

use super::*;
use crate::testing::drawn::{Drawn, drawn};
use crate::tree::{Tree, normalised};

/// What bergshamra makes of the same element.
fn judged(document: &Document<'_>, apex: NodeId, prefixes: &[String]) -> String {
    let nodes = NodeSet::tree_without_comments(apex, document);
    let bytes = canonicalize_doc(document, C14nMode::Exclusive, Some(&nodes), prefixes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn elements(document: &Document<'_>) -> Vec<NodeId> {
    let all = document.descendants(document.root()).into_iter();
    all.filter(|node| document.element(*node).is_some()).collect()
}

fn listed(prefixes: &str) -> Vec<String> {
    prefixes.split_ascii_whitespace().map(str::to_owned).collect()
}

fn document_of(drawn: &Drawn) -> String {
    normalised(&format!("<?xml version=\"1.0\"?>\n<?before it?>{}", drawn.text())).into_owned()
}

/// The element `x` of the text, with this list.
fn of_x(text: &str, prefixes: &str) -> String {
    let text = normalised(text);
    let tree = Tree::parse(&text).unwrap();
    let document = tree.document();
    let found =
        elements(document).into_iter().find(|node| &*document.element(*node).unwrap().name.local_name == "x");
    let found = found.unwrap();
    let text = canonical(document, found, &listed(prefixes)).unwrap();
    assert_eq!(text, judged(document, found, &listed(prefixes)), "bergshamra says otherwise");
    text
}

#[test]
fn the_form_is_the_recommendations() {
    for (text, expected) in [
        // empty tags, white space in tags, quotes, order of attributes
        ("<x/>", "<x></x>"),
        ("<x  b='2'\n a=\"1\" ></x >", "<x a=\"1\" b=\"2\"></x>"),
        (
            "<x b:z='1' a:z='2' z='3' xmlns:a='urn:2' xmlns:b='urn:1'/>",
            "<x xmlns:a=\"urn:2\" xmlns:b=\"urn:1\" z=\"3\" b:z=\"1\" a:z=\"2\"></x>",
        ),
        // characters
        ("<x>&#60;&amp;&gt;&#x22;&#39;&#xD;\u{e6}</x>", "<x>&lt;&amp;&gt;\"'&#xD;\u{e6}</x>"),
        ("<x a='&lt;&amp;>\"&#9;&#10;&#13; \t\n'/>", "<x a=\"&lt;&amp;>&quot;&#x9;&#xA;&#xD;   \"></x>"),
        ("<x>a\r\nb\rc</x>", "<x>a\nb\nc</x>"),
        ("<x><![CDATA[<&>]]>&#32;</x>", "<x>&lt;&amp;&gt; </x>"),
        ("<x> a<!-- b -->c <?p  d&#13; ?><?q?></x>", "<x> ac <?p d&#13; ?><?q?></x>"),
        // a namespace stands where it is used first, and again beside the place where it stood
        (
            "<a:r xmlns:a='urn:a' xmlns:b='urn:b'><a:x><b:y/><b:y><b:z/></b:y></a:x></a:r>",
            "<a:x xmlns:a=\"urn:a\"><b:y xmlns:b=\"urn:b\"></b:y><b:y xmlns:b=\"urn:b\"><b:z></b:z></b:y></a:x>",
        ),
        (
            "<r xmlns='urn:r'><x xmlns=''><y xmlns='urn:r'><z xmlns=''/></y></x></r>",
            "<x><y xmlns=\"urn:r\"><z xmlns=\"\"></z></y></x>",
        ),
        (
            "<a:x xmlns:a='urn:1'><a:y xmlns:a='urn:2'/><a:y/></a:x>",
            "<a:x xmlns:a=\"urn:1\"><a:y xmlns:a=\"urn:2\"></a:y><a:y></a:y></a:x>",
        ),
        // what is declared and not used is not rendered; xml is never declared
        (
            "<r xmlns='urn:r' xmlns:a='urn:a' xml:lang='da'><x xml:space='preserve'/></r>",
            "<x xmlns=\"urn:r\" xml:space=\"preserve\"></x>",
        ),
        ("<x xmlns:a='urn:&amp;\"a'><a:y/></x>", "<x><a:y xmlns:a=\"urn:&amp;&quot;a\"></a:y></x>"),
    ] {
        assert_eq!(of_x(text, ""), expected, "{text}");
    }
}

/// What is copied in one piece is what is put together: elements of one text, and those that only look like it.
#[test]
fn an_element_of_one_text_is_as_it_stands_or_put_together() {
    for (inside, expected) in [
        ("<y>t</y>", "<y>t</y>"),
        ("<a:y>t \u{e6}'</a:y>", "<a:y xmlns:a=\"urn:a\">t \u{e6}'</a:y>"),
        ("<y >t</y>", "<y>t</y>"),
        ("<y>t</y >", "<y>t</y>"),
        ("<y></y>", "<y></y>"),
        ("<y/>", "<y></y>"),
        ("<y>&#116;</y>", "<y>t</y>"),
        ("<y><![CDATA[t]]></y>", "<y>t</y>"),
        ("<y>t<!-- c --></y>", "<y>t</y>"),
        ("<y>t<![CDATA[]]></y>", "<y>t</y>"),
        ("<y>></y>", "<y>&gt;</y>"),
        ("<y>\"\t\n</y>", "<y>\"\t\n</y>"),
        ("<y>&#13;</y>", "<y>&#xD;</y>"),
        ("<y b='1'>t</y>", "<y b=\"1\">t</y>"),
        ("<y xmlns:c='urn:c'>t</y>", "<y>t</y>"),
        ("<y xmlns='urn:y'>t</y>", "<y xmlns=\"urn:y\">t</y>"),
    ] {
        let text = format!("<r xmlns:a='urn:a'><x>{inside}</x></r>");
        assert_eq!(of_x(&text, ""), format!("<x>{expected}</x>"), "{inside}");
        of_x(&text, "a #default");
    }
    let known = "<a:r xmlns:a='urn:a'><a:x><a:y>t</a:y><y>t</y><a:y >t</a:y></a:x></a:r>";
    assert_eq!(of_x(known, ""), "<a:x xmlns:a=\"urn:a\"><a:y>t</a:y><y>t</y><a:y>t</a:y></a:x>");
    assert_eq!(of_x("<r><x>t</x></r>", ""), "<x>t</x>");
    assert_eq!(of_x("<r xmlns='urn:r'><x>t</x></r>", ""), "<x xmlns=\"urn:r\">t</x>");
}

#[test]
fn a_listed_prefix_is_rendered_where_it_holds() {
    let text = "<r xmlns='urn:r' xmlns:a='urn:a' xmlns:b='urn:b'><a:x xmlns:c='urn:c'><a:y xmlns:b='urn:b2'/></a:x></r>";
    for (list, expected) in [
        ("", "<a:x xmlns:a=\"urn:a\"><a:y></a:y></a:x>"),
        ("b", "<a:x xmlns:a=\"urn:a\" xmlns:b=\"urn:b\"><a:y xmlns:b=\"urn:b2\"></a:y></a:x>"),
        ("#default c a nobody", "<a:x xmlns=\"urn:r\" xmlns:a=\"urn:a\" xmlns:c=\"urn:c\"><a:y></a:y></a:x>"),
    ] {
        assert_eq!(of_x(text, list), expected, "{list}");
    }
    let ended = "<r xmlns='urn:r'><x><a:y xmlns:a='urn:a' xmlns=''/></x></r>";
    assert_eq!(of_x(ended, "#default"), "<x xmlns=\"urn:r\"><a:y xmlns=\"\" xmlns:a=\"urn:a\"></a:y></x>");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    /// Each element of a document, with and without a list, is what bergshamra renders of the whole document.
    #[test]
    fn every_element_is_what_bergshamra_renders(drawn in drawn(), list in prop::sample::subsequence(vec!["a", "#default", "b", "xml", "nobody"], 0..=5)) {
        let text = document_of(&drawn);
        let tree = Tree::parse(&text).unwrap_or_else(|_| panic!("not well-formed: {text}"));
        let document = tree.document();
        let list: Vec<String> = list.into_iter().map(str::to_owned).collect();
        for element in elements(document) {
            for list in [&[][..], &list] {
                let ours = canonical(document, element, list).unwrap();
                prop_assert_eq!(&ours, &judged(document, element, list), "{} {:?}", &text, list);
            }
        }
    }

    /// A canonical form is its own, also below elements that declare other things.
    #[test]
    fn a_canonical_form_stays_wherever_it_stands(drawn in drawn()) {
        let text = document_of(&drawn);
        let tree = Tree::parse(&text).unwrap();
        for element in elements(tree.document()) {
            let once = canonical(tree.document(), element, &[]).unwrap();
            // without a default namespace, which an element in no namespace would take on
            let moved = format!("<b:r xmlns:b='urn:other' xmlns:a='urn:a'>  {once}\n</b:r>");
            let again = Tree::parse(&moved).unwrap();
            let document = again.document();
            let root = document.document_element().unwrap();
            let child = document.children_iter(root).find(|node| document.element(*node).is_some()).unwrap();
            prop_assert_eq!(canonical(document, child, &[]).unwrap(), once);
        }
    }
}
