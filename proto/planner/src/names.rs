//! Namespaces, lengths and patterns of the service description.

/// The request and response elements and everything directly in them.
pub(crate) const EVENTS: &str = "http://service.bm.dk/PlannerExternalCalendarService/2015/03/27/";
/// The header that says on whose behalf a call is made.
pub(crate) const ACTIVE_ORGANISATION: &str = "http://rep.oio.dk/ams.dk/xml/schemas/2005/09/01/";
/// The header that says who calls.
pub(crate) const USER_METADATA: &str = "http://service.bm.dk/RequestUserMetadata/2015/01/21/";
/// The calling user inside that header.
pub(crate) const USER: &str = "http://service.bm.dk/pjaktass/2015/01/21/RequestUserStructure/";
/// The calling organisation inside that header.
pub(crate) const ORGANISATION: &str =
    "http://service.bm.dk/pjaktass/2015/01/21/RequestOrganisationStructure/";
/// The kind of the calling user.
pub(crate) const USER_TYPE: &str =
    "http://service.bm.dk/pjaktass/2015/01/21/RequestUserTypeIdentifierCodeList/";
/// The number of a code list's item, inside whatever element names the list.
pub(crate) const CODE_LIST: &str = "http://service.bm.dk/pjaktass/2013/06/07/CodeListBase/";
/// The fault's detail.
pub(crate) const FAULT: &str = "http://service.bm.dk/xml/schemas/2011/01/12/";

/// Where the service lives beneath its host.
pub const SERVICE_PATH: &str = "/PjakTassWCFtService/1/PlannerExternalCalendarService.svc";

/// The longest `RID` of a resource, in characters.
pub const RID_CHARS_MAX: usize = 64;
/// The longest part of a mail address before the `@`, in characters.
pub const MAIL_LOCAL_CHARS_MAX: usize = 191;
/// The longest part of a mail address after the `@`, in characters.
pub const MAIL_DOMAIN_CHARS_MAX: usize = 64;

/// Would the service's schema accept `text` as a mail address? One `@`; before it up to
/// [`MAIL_LOCAL_CHARS_MAX`] characters, after it 1 to [`MAIL_DOMAIN_CHARS_MAX`]; none of `>()[]\,;:@` and no
/// white space.
pub fn is_mail_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let allowed =
        |c: char| !matches!(c, '>' | '(' | ')' | '[' | ']' | '\\' | ',' | ';' | ':' | '@') && !is_blank(c);
    local.chars().count() <= MAIL_LOCAL_CHARS_MAX
        && (1..=MAIL_DOMAIN_CHARS_MAX).contains(&domain.chars().count())
        && local.chars().all(allowed)
        && domain.chars().all(allowed)
}

/// White space as XML knows it (schema patterns mean exactly these by `\s`).
pub(crate) const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// May `c` stand in an XML 1.0 document at all, escaped or not?
pub(crate) const fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}
