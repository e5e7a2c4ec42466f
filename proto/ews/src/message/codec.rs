//! The common head of response messages, and what differs by operation.

use proto_soap::{Element, Reader, Writer};

use super::{MessageXml, Problem, ResponseMessage};
use crate::{Error, MESSAGES_NS, ResponseCode};

/// Class of a response message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Success,
    Warning,
    Error,
}

/// The elements that every response message begins with, while they are read.
pub(crate) struct Head {
    class: Option<Class>,
    code: Option<ResponseCode>,
    text: String,
    message_xml: MessageXml,
}

impl Head {
    pub(crate) fn new(message: &Element<'_>) -> Self {
        let class = match message.attribute("ResponseClass").map(str::trim) {
            Some("Success") => Some(Class::Success),
            Some("Warning") => Some(Class::Warning),
            Some("Error") => Some(Class::Error),
            _ => None,
        };
        Self { class, code: None, text: String::new(), message_xml: MessageXml::default() }
    }

    /// Reads a child of the message; false when it is none of the head's.
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<bool, Error> {
        match child.name() {
            (MESSAGES_NS, "ResponseCode") => {
                self.code = Some(ResponseCode::new(reader.text(child)?.trim()));
            }
            (MESSAGES_NS, "MessageText") => self.text = reader.text(child)?,
            (MESSAGES_NS, "MessageXml") => self.message_xml = MessageXml::read(reader, child)?,
            (MESSAGES_NS, "DescriptiveLinkKey") => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Does the message say that it failed? Without a class, which no server leaves out, its code decides.
    fn class(&self) -> Class {
        self.class.unwrap_or(match &self.code {
            Some(code) if !code.is_no_error() => Class::Error,
            _ => Class::Success,
        })
    }

    /// The class, and the problem of a warning or error.
    pub(crate) fn finish(self) -> (Class, Option<Problem>) {
        let class = self.class();
        let problem = (class != Class::Success).then(|| Problem {
            code: self.code.unwrap_or(ResponseCode::INTERNAL_SERVER_ERROR),
            text: self.text,
            message_xml: self.message_xml,
        });
        (class, problem)
    }

    pub(crate) fn write_success(writer: &mut Writer) {
        writer.attribute("ResponseClass", "Success");
        writer.leaf("m:ResponseCode", ResponseCode::NO_ERROR.as_str());
    }

    pub(crate) fn write_error(writer: &mut Writer, problem: &Problem) {
        Self::write_problem(writer, "Error", problem);
    }

    fn write_problem(writer: &mut Writer, class: &str, problem: &Problem) {
        writer.attribute("ResponseClass", class);
        writer.leaf("m:MessageText", &problem.text);
        writer.leaf("m:ResponseCode", problem.code.as_str());
        writer.leaf("m:DescriptiveLinkKey", "0");
        if !problem.message_xml.values.is_empty() {
            writer.element("m:MessageXml", |w| problem.message_xml.write_values(w));
        }
    }
}

impl MessageXml {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut xml = Self::default();
        reader.children(element, |reader, child| {
            if xml.values.len() < Self::VALUES_MAX {
                let name = child.attribute("Name").unwrap_or(child.local()).to_owned();
                xml.values.push((name, reader.text(child)?));
            }
            Ok::<_, Error>(())
        })?;
        Ok(xml)
    }

    pub(crate) fn write_values(&self, writer: &mut Writer) {
        for (name, value) in &self.values {
            writer.element("t:Value", |w| {
                w.attribute("Name", name);
                w.text(value);
            });
        }
    }
}

/// The content of one operation's response messages.
pub(crate) trait Content: Sized {
    /// The content while it is read.
    type Draft: Default;

    /// Reads a child of the message; unknown ones are passed over.
    fn read(draft: &mut Self::Draft, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error>;

    /// The content, or the error that a part is missing.
    fn finish(draft: Self::Draft) -> Result<Self, Error>;

    /// Does a warning with this content hold anything? `ErrorBatchProcessingStopped` comes with an empty list,
    /// which is no answer.
    fn is_something(&self) -> bool {
        true
    }

    /// Writes the content's elements.
    fn write(&self, writer: &mut Writer);

    /// Writes the empty container that errors of this operation carry (field note 27).
    fn write_nothing(_: &mut Writer) {}
}

/// Reads one response message.
pub(crate) fn read_message<T: Content>(
    reader: &mut Reader<'_>,
    message: &Element<'_>,
) -> Result<ResponseMessage<T>, Error> {
    let mut head = Head::new(message);
    let mut draft = T::Draft::default();
    reader.children(message, |reader, child| {
        if head.read(reader, child)? || head.class() == Class::Error {
            return Ok(());
        }
        T::read(&mut draft, reader, child)
    })?;
    match head.finish() {
        (_, None) => T::finish(draft).map(ResponseMessage::Success),
        (Class::Warning, Some(problem)) => {
            let content = T::finish(draft).ok().filter(T::is_something);
            Ok(ResponseMessage::Warning { content, problem })
        }
        (_, Some(problem)) => Ok(ResponseMessage::Error(problem)),
    }
}

/// Writes one response message under `name`.
pub(crate) fn write_message<T: Content>(writer: &mut Writer, name: &str, message: &ResponseMessage<T>) {
    writer.element(name, |w| match message {
        ResponseMessage::Success(content) => {
            Head::write_success(w);
            content.write(w);
        }
        ResponseMessage::Warning { content, problem } => {
            Head::write_problem(w, "Warning", problem);
            match content {
                Some(content) => content.write(w),
                None => T::write_nothing(w),
            }
        }
        ResponseMessage::Error(problem) => {
            Head::write_error(w, problem);
            T::write_nothing(w);
        }
    });
}
