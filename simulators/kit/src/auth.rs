//! Basic authentication.

use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;

#[cfg(test)]
mod tests;

/// User and password as a request carried them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Credentials {
    /// The credentials of a request, or `None` when it has none that can be read.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        Self::parse(request.headers().get(AUTHORIZATION)?.to_str().ok()?)
    }

    /// The credentials in a header's value: `Basic` and the Base64 of `user:password`.
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, encoded) = value.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// The answer to a request without good credentials.
    pub fn refused(realm: &str) -> HttpResponse {
        HttpResponse::Unauthorized()
            .insert_header((WWW_AUTHENTICATE, format!("Basic realm=\"{realm}\"")))
            .finish()
    }
}
