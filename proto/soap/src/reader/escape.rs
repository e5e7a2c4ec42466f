//! References and characters, with the one leniency that the field demands: references to characters that
//! XML forbids (`&#x0;` in subjects, Exchange writes them) become U+FFFD instead of losing the message.

use std::borrow::Cow;

use crate::Error;

/// What stands for a character that XML 1.0 forbids.
const REPLACEMENT: char = '\u{fffd}';

/// May XML 1.0 hold this character?
pub(crate) const fn is_legal(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Is this a name without prefix (NCName: XML 1.0, fifth edition, 2.3, without the colon)?
pub(super) fn is_name(text: &str) -> bool {
    // nearly all names are ASCII: looked at without a way out, as in `is_plain`
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() | matches!(byte, b'_' | b'-' | b'.');
    let begins_plain = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if begins_plain && text.as_bytes().iter().fold(true, |all, byte| all & plain(byte)) {
        return true;
    }
    let begins = |letter: char| {
        matches!(letter, 'A'..='Z' | 'a'..='z' | '_' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}' | '\u{200d}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}')
    };
    let goes_on = |letter: char| {
        begins(letter)
            || matches!(letter, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}')
    };
    let mut letters = text.chars();
    letters.next().is_some_and(begins) && letters.all(goes_on)
}

/// Is all of this characters that XML may hold, and neither white space that becomes a blank nor a reference? Nearly all
/// text is: looked at in blocks without a way out, which a processor does many bytes at a time.
pub(super) fn is_plain(text: &str) -> bool {
    let block = |bytes: &[u8]| {
        bytes.iter().fold(true, |plain, byte| plain & (matches!(byte, b' '..=b'~') & (*byte != b'&')))
    };
    text.as_bytes().chunks(64).all(block)
}

/// Is nothing in this message text to be replaced ([`legal`]), and no line end to be normalised (XML 1.0, 2.11)? Said without
/// decoding characters: of the forbidden ones beyond ASCII both begin with the byte that is looked for.
pub(super) fn is_tidy(text: &str) -> bool {
    let tidy = |byte: &u8| ((*byte >= b' ') & (*byte != 0xef)) | (*byte == b'\t') | (*byte == b'\n');
    let block = |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & tidy(byte));
    text.as_bytes().chunks(256).all(block)
}

/// The text with every forbidden character replaced.
pub(super) fn legal(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_plain(&text) || text.chars().all(is_legal) {
        return text;
    }
    Cow::Owned(text.chars().map(|c| if is_legal(c) { c } else { REPLACEMENT }).collect())
}

/// The character that a reference (`amp`, `#38`, `#x26`; without `&` and `;`) stands for.
pub(super) fn reference(name: &str, at: u64) -> Result<char, Error> {
    let number = match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        _ => name.strip_prefix('#').ok_or(Error::Entity { at })?,
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(hex) => (hex, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(Error::Malformed { what: "malformed character reference", at });
    }
    // A number too large for u32 is no character either.
    let code = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    Ok(code.filter(|c| is_legal(*c)).unwrap_or(REPLACEMENT))
}

/// The value of an attribute: white space becomes blanks, references their characters.
pub(super) fn attribute_value(raw: Cow<'_, str>, at: u64) -> Result<Cow<'_, str>, Error> {
    if is_plain(&raw) {
        return Ok(raw);
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = &*raw;
    while let Some(position) = rest.find('&') {
        push_literal(&mut value, &rest[..position]);
        rest = &rest[position + 1..];
        let end = rest.find(';').ok_or(Error::Malformed { what: "reference without an end", at })?;
        value.push(reference(&rest[..end], at)?);
        rest = &rest[end + 1..];
    }
    push_literal(&mut value, rest);
    Ok(Cow::Owned(value))
}

fn push_literal(value: &mut String, literal: &str) {
    let mut characters = literal.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                // CRLF is one line end.
                characters.next_if_eq(&'\n');
                value.push(' ');
            }
            '\n' | '\t' => value.push(' '),
            c if is_legal(c) => value.push(c),
            _ => value.push(REPLACEMENT),
        }
    }
}
