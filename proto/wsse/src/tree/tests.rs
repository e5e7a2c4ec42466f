//! Goal: no element of a message escapes the look for moved Bodies and ids that occur twice. Method: documents drawn at
//! random; the elements by their numbers are those that a walk from the root finds, in the same order.

use proptest::prelude::*;

use super::*;
use crate::testing::drawn::drawn;

proptest! {
    #[test]
    fn every_element_is_looked_at(drawn in drawn()) {
        let drawn = format!("<?before it?><!-- it -->{}<?after it?>", drawn.text());
        let text = normalised(&drawn);
        let tree = Tree::parse(&text).unwrap();
        let walked = tree.0.descendants(tree.0.root()).into_iter();
        let walked: Vec<usize> =
            walked.filter(|node| tree.0.element(*node).is_some()).map(|node| node.index()).collect();
        let numbered: Vec<usize> = tree.elements().map(|(node, _)| node.index()).collect();
        prop_assert!(!numbered.is_empty());
        prop_assert_eq!(numbered, walked);
    }
}

#[test]
fn a_text_is_put_together_and_nothing_else_is_a_text() {
    let of_root = |text: &str| {
        let tree = Tree::parse(text).unwrap();
        tree.text(tree.0.document_element().unwrap()).map(Cow::into_owned)
    };
    assert_eq!(of_root("<x/>").as_deref(), Some(""));
    assert_eq!(of_root("<x>a&amp;b</x>").as_deref(), Some("a&b"));
    assert_eq!(of_root("<x>a<![CDATA[b]]><![CDATA[]]>c</x>").as_deref(), Some("abc"));
    for other in ["<x>a<y/></x>", "<x>a<!-- b --></x>", "<x><?a?></x>"] {
        assert_eq!(of_root(other), None, "{other}");
    }
}
