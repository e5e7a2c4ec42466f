//! Content lines: unfolding, name, parameters, value.

/// One unfolded line: `NAME;PARAMETER=value:VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Upper case; empty for a line that is none.
    pub(super) name: String,
    parameters: Vec<(String, String)>,
    /// As it stands, still escaped.
    pub(super) value: String,
}

impl Line {
    fn of(text: &str) -> Self {
        let mut parts = vec![String::new()];
        let mut quoted = false;
        let mut value = None;
        for (at, character) in text.char_indices() {
            match character {
                '"' => quoted = !quoted,
                ';' if !quoted => {
                    parts.push(String::new());
                    continue;
                }
                ':' if !quoted => {
                    value = Some(text[at + 1..].to_owned());
                    break;
                }
                _ => {}
            }
            if let Some(part) = parts.last_mut() {
                part.push(character);
            }
        }
        let Some(value) = value else {
            return Self { name: String::new(), parameters: Vec::new(), value: String::new() };
        };
        let name = parts.remove(0).trim().to_ascii_uppercase();
        let parameters = parts
            .iter()
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_uppercase(), value.trim_matches('"').to_owned()))
            .collect();
        Self { name, parameters, value }
    }

    /// Is it this name with this value?
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.name == name && self.value.trim().eq_ignore_ascii_case(value)
    }

    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The value as text, without its escapes.
    pub(super) fn text(&self) -> String {
        unescape(&self.value)
    }

    /// The value as a list of texts.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut escaped = false;
        for character in self.value.chars() {
            match (escaped, character) {
                (false, ',') => {
                    all.push(String::new());
                    continue;
                }
                (false, '\\') => escaped = true,
                _ => escaped = false,
            }
            if let Some(last) = all.last_mut() {
                last.push(character);
            }
        }
        all.iter().map(|text| unescape(text.trim())).filter(|text| !text.is_empty()).collect()
    }
}

/// The lines of a file, unfolded.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut unfolded: Vec<String> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), unfolded.last_mut()) {
            (Some(rest), Some(last)) => last.push_str(rest),
            _ => unfolded.push(line.to_owned()),
        }
    }
    unfolded.iter().map(|line| Line::of(line)).collect()
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain
}
