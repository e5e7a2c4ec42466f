//! What every response message has: class, code, text and values; and faults.

use std::time::Duration;

use crate::ResponseCode;

/// Largest back-off that a server may ask for; what is above counts as this (one day).
const BACK_OFF_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// One response message. The class decides: an error may carry the elements of a success, which are not
/// read (field note 24).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseMessage<T> {
    /// `Success`.
    Success(T),
    /// `Warning`: `ErrorBatchProcessingStopped` without content, `ErrorNameResolutionMultipleResults` with.
    Warning {
        /// The content, when there is one.
        content: Option<T>,
        /// What is to be known.
        problem: Problem,
    },
    /// `Error`.
    Error(Problem),
}

impl<T> ResponseMessage<T> {
    /// An error with a code and a text.
    pub fn error(code: ResponseCode, text: impl Into<String>) -> Self {
        Self::Error(Problem::new(code, text))
    }

    /// The content of a success or warning, else the problem.
    pub fn into_result(self) -> Result<T, Problem> {
        match self {
            Self::Success(content) | Self::Warning { content: Some(content), .. } => Ok(content),
            Self::Warning { content: None, problem } | Self::Error(problem) => Err(problem),
        }
    }

    /// The problem, also of a warning.
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Success(_) => None,
            Self::Warning { problem, .. } | Self::Error(problem) => Some(problem),
        }
    }
}

/// An error or warning of one response message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The code.
    pub code: ResponseCode,
    /// For people, in the server's language; never to be matched (field note 22), with the one exception of
    /// [`back_off`](Self::back_off).
    pub text: String,
    /// Further values.
    pub message_xml: MessageXml,
}

impl Problem {
    /// A problem without values.
    pub fn new(code: ResponseCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), message_xml: MessageXml::default() }
    }

    /// The same with one more value.
    #[must_use]
    pub fn with_value(mut self, name: &str, value: impl Into<String>) -> Self {
        self.message_xml.values.push((name.to_owned(), value.into()));
        self
    }

    /// The code to treat it by: the inner one where `ErrorInternalServerError` hides it (field note 26).
    pub fn effective_code(&self) -> ResponseCode {
        effective_code(&self.code, &self.message_xml)
    }

    /// How long the server asks to wait, in milliseconds; 0 means that it named no usable time.
    pub fn back_off_ms(&self) -> Option<u64> {
        back_off_ms(&self.effective_code(), &self.message_xml, &self.text)
    }

    /// How long the server asks to wait, at most a day; `None` when it named no time or zero.
    pub fn back_off(&self) -> Option<Duration> {
        back_off(self.back_off_ms())
    }
}

/// A fault: the whole request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `detail/e:ResponseCode`, or the local part of `faultcode`.
    pub code: ResponseCode,
    /// For people.
    pub text: String,
    /// Further values.
    pub message_xml: MessageXml,
}

impl Fault {
    /// A fault without values.
    pub fn new(code: ResponseCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), message_xml: MessageXml::default() }
    }

    /// The same with one more value.
    #[must_use]
    pub fn with_value(mut self, name: &str, value: impl Into<String>) -> Self {
        self.message_xml.values.push((name.to_owned(), value.into()));
        self
    }

    /// The code to treat it by: the inner one where `ErrorInternalServerError` hides it.
    pub fn effective_code(&self) -> ResponseCode {
        effective_code(&self.code, &self.message_xml)
    }

    /// How long the server asks to wait, in milliseconds; 0 means that it named no usable time.
    pub fn back_off_ms(&self) -> Option<u64> {
        back_off_ms(&self.effective_code(), &self.message_xml, &self.text)
    }

    /// How long the server asks to wait, at most a day; `None` when it named no time or zero.
    pub fn back_off(&self) -> Option<Duration> {
        back_off(self.back_off_ms())
    }
}

/// `MessageXml`: named values. Elements that are no `Value` are kept by their local name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageXml {
    /// Name and text, in document order; at most [`MessageXml::VALUES_MAX`].
    pub values: Vec<(String, String)>,
}

impl MessageXml {
    /// How many values are kept.
    pub const VALUES_MAX: usize = 32;
    /// Milliseconds to wait.
    pub const BACK_OFF_MILLISECONDS: &'static str = "BackOffMilliseconds";
    /// The code that an internal error hides.
    pub const INNER_ERROR_RESPONSE_CODE: &'static str = "InnerErrorResponseCode";
    /// The subscription that a push error is about.
    pub const SUBSCRIPTION_ID: &'static str = "SubscriptionId";

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

fn effective_code(code: &ResponseCode, xml: &MessageXml) -> ResponseCode {
    let hides = *code == ResponseCode::INTERNAL_SERVER_ERROR;
    let inner = xml.get(MessageXml::INNER_ERROR_RESPONSE_CODE).map(str::trim).filter(|c| !c.is_empty());
    match inner {
        Some(inner) if hides && inner != ResponseCode::NO_ERROR.as_str() => ResponseCode::new(inner),
        _ => code.clone(),
    }
}

/// The value where there is one; else, for a busy server only, the number before "ms" in the text: the one
/// text that is looked into, since old servers tell the time nowhere else (reference section 5).
fn back_off_ms(code: &ResponseCode, xml: &MessageXml, text: &str) -> Option<u64> {
    if let Some(value) = xml.get(MessageXml::BACK_OFF_MILLISECONDS) {
        return value.trim().parse().ok();
    }
    if *code != ResponseCode::SERVER_BUSY {
        return None;
    }
    let mut words = text.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        let Ok(number) = word.parse() else { continue };
        let unit = words.peek().map(|w| w.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()));
        if matches!(unit, Some("ms")) {
            return Some(number);
        }
    }
    None
}

fn back_off(ms: Option<u64>) -> Option<Duration> {
    ms.filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms).min(BACK_OFF_MAX))
}

pub(crate) mod codec;
#[cfg(test)]
mod tests;
