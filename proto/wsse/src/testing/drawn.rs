//! Elements drawn at random: namespaces redeclared and ended, attributes in namespaces and in every order, CDATA, references,
//! comments, instructions, and white space wherever it may stand.

use std::fmt::Write as _;

use proptest::prelude::*;

/// An element to be written, with names that are resolved while it is.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    prefix: &'static str,
    local: &'static str,
    declared: Vec<(&'static str, &'static str)>,
    /// Prefix, value as it is written, quote.
    attributes: Vec<(&'static str, String, char)>,
    content: Vec<Content>,
    space: &'static str,
    empty_tag: bool,
}

#[derive(Debug, Clone)]
enum Content {
    Element(Drawn),
    /// As it is written.
    Markup(String),
}

const PREFIXES: [&str; 4] = ["", "a", "b", "\u{e6}"];
/// None with `&`: libxml2, on which `xmlsec1` works, keeps `&#38;` in a namespace's name.
const NAMESPACES: [&str; 4] = ["urn:1", "urn:2", "http://three/?a=1", ""];
const PIECES: [&str; 18] = [
    "&#13;",
    "&#10;",
    "&#9;",
    "&#x20;",
    "&lt;",
    "&gt;",
    "&amp;",
    "&quot;",
    "&apos;",
    "\r\n",
    "\r",
    "\n",
    "\t",
    " ",
    ">",
    "\u{e6}",
    "\u{1f512}",
    "text",
];

fn written() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..6).prop_map(|pieces| pieces.concat())
}

fn markup() -> impl Strategy<Value = Content> {
    let content = prop_oneof![
        4 => written(),
        1 => written().prop_map(|text| format!("<![CDATA[{}<&'\"]]>", text.replace('>', ""))),
        1 => written().prop_map(|text| format!("<?target {}?>", text.replace('?', ""))),
        1 => written().prop_map(|text| format!("<!--{text}-->")),
    ];
    content.prop_map(Content::Markup)
}

pub(crate) fn drawn() -> impl Strategy<Value = Drawn> {
    let value = prop_oneof![written(), Just(String::new())];
    let attribute = (
        prop::sample::select(&["", "a", "b", "\u{e6}", "xml"][..]),
        value,
        prop::sample::select(&['"', '\''][..]),
    );
    let declared = (prop::sample::select(&PREFIXES[..]), prop::sample::select(&NAMESPACES[..]));
    let shell = (
        prop::sample::select(&PREFIXES[..]),
        prop::sample::select(&["x", "y", "\u{f8}"][..]),
        prop::collection::vec(declared, 0..3),
        prop::collection::vec(attribute, 0..4),
        prop::sample::select(&["", " ", "\n\t", "\r\n"][..]),
        any::<bool>(),
    );
    let leaf = (shell.clone(), prop::collection::vec(markup(), 0..3)).prop_map(element_of);
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let content = prop_oneof![2 => inner.prop_map(Content::Element), 1 => markup()];
        (shell.clone(), prop::collection::vec(content, 0..4)).prop_map(element_of)
    })
}

type Shell = (
    &'static str,
    &'static str,
    Vec<(&'static str, &'static str)>,
    Vec<(&'static str, String, char)>,
    &'static str,
    bool,
);

fn element_of(
    ((prefix, local, declared, attributes, space, empty_tag), content): (Shell, Vec<Content>),
) -> Drawn {
    Drawn { prefix, local, declared, attributes, content, space, empty_tag }
}

impl Drawn {
    /// Writes it where these prefixes are declared; those that are missing are declared here, before or after
    /// they are used.
    fn write(&self, text: &mut String, mut scope: Vec<&'static str>) {
        let name = |prefix: &str, local: &str| match prefix {
            "" => local.to_owned(),
            prefix => format!("{prefix}:{local}"),
        };
        let mut declared: Vec<(&str, &str)> = Vec::new();
        for (prefix, namespace) in &self.declared {
            // only the default namespace can be ended
            let namespace = if namespace.is_empty() && !prefix.is_empty() { "urn:1" } else { namespace };
            if declared.iter().all(|(known, _)| known != prefix) {
                declared.push((prefix, namespace));
            }
        }
        for prefix in used_prefixes(self).filter(|prefix| !prefix.is_empty() && *prefix != "xml") {
            if !scope.contains(&prefix) && declared.iter().all(|(known, _)| *known != prefix) {
                declared.push((prefix, "urn:2"));
            }
        }
        scope.extend(self.declared.iter().map(|(prefix, _)| *prefix));
        scope.extend(used_prefixes(self));
        let element = name(self.prefix, self.local);
        write!(text, "<{element}").unwrap();
        let mut parts: Vec<String> = declared
            .iter()
            .map(|(prefix, namespace)| match *prefix {
                "" => format!("xmlns=\"{namespace}\""),
                prefix => format!("xmlns:{prefix}='{namespace}'"),
            })
            .collect();
        // the names differ, so that no two are the same attribute by two prefixes
        let count = self.attributes.len();
        for (number, (prefix, value, quote)) in self.attributes.iter().enumerate() {
            let value = value.replace(*quote, "");
            parts.insert(
                parts.len() / 2,
                format!("{}={quote}{value}{quote}", name(prefix, &format!("n{}", count - number))),
            );
        }
        for part in parts {
            write!(text, " {}{part}", self.space).unwrap();
        }
        if self.content.is_empty() && self.empty_tag {
            text.push_str("/>");
            return;
        }
        write!(text, "{}>", self.space).unwrap();
        for content in &self.content {
            match content {
                Content::Element(element) => element.write(text, scope.clone()),
                Content::Markup(markup) => text.push_str(markup),
            }
        }
        write!(text, "</{element}{}>", self.space).unwrap();
    }

    /// As it stands where nothing is declared.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, Vec::new());
        text
    }
}

fn used_prefixes(drawn: &Drawn) -> impl Iterator<Item = &'static str> + '_ {
    drawn.attributes.iter().map(|(prefix, ..)| *prefix).chain([drawn.prefix])
}
