//! Who may call: whoever bears the token, or has shown a certificate that counts.

use hyper::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use trust::{CertificateFacts, Fingerprint};

use crate::http::server::Call;

/// What opens the admin calls.
#[derive(Default)]
pub(crate) struct Access {
    token: Option<TokenDigest>,
    /// Clients with a certificate: `None` = not by a certificate, empty = any that TLS has verified.
    pins: Option<Vec<Fingerprint>>,
}

impl Access {
    /// For whoever has this token.
    pub(crate) fn token(mut self, token: &SecretString) -> Self {
        self.token = Some(TokenDigest::of(token));
        self
    }

    /// For whoever has shown a certificate that the listener has verified and that, where `pins` holds any, is one of them
    /// (by the whole certificate or by its key).
    pub(crate) fn certificates(mut self, pins: Vec<Fingerprint>) -> Self {
        self.pins = Some(pins);
        self
    }

    pub(super) fn admits(&self, call: &Call) -> bool {
        let token = self.token.as_ref();
        let has_token =
            token.zip(call.header(&AUTHORIZATION)).is_some_and(|(token, header)| token.opens(header));
        has_token || call.client.as_ref().is_some_and(|client| self.admits_certificate(client))
    }

    fn admits_certificate(&self, client: &CertificateFacts) -> bool {
        self.pins.as_ref().is_some_and(|pins| {
            pins.is_empty()
                || pins.iter().any(|pin| [client.fingerprint, client.key_fingerprint].contains(pin))
        })
    }
}

/// The token, as far as it is needed: its SHA-256, so that neither its length nor how much of it was guessed shows in how
/// long a comparison takes.
struct TokenDigest([u8; 32]);

impl TokenDigest {
    fn of(token: &SecretString) -> Self {
        Self(Sha256::digest(token.expose_secret().as_bytes()).into())
    }

    /// Does the header `Authorization` bear the token? In constant time for any token that is presented.
    fn opens(&self, header: &str) -> bool {
        let Some((scheme, token)) = header.split_once(' ') else { return false };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return false;
        }
        let presented: [u8; 32] = Sha256::digest(token.trim().as_bytes()).into();
        self.0.ct_eq(&presented).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_opens() {
        let token = TokenDigest::of(&"f5b0c2d4e6a8".into());
        for good in ["Bearer f5b0c2d4e6a8", "bearer f5b0c2d4e6a8", "BEARER  f5b0c2d4e6a8 "] {
            assert!(token.opens(good), "{good}");
        }
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "f5b0c2d4e6a8",
            "Basic f5b0c2d4e6a8",
            "Bearer f5b0c2d4e6a",
            "Bearer f5b0c2d4e6a8x",
            "Bearer F5B0C2D4E6A8",
            "Bearer f5b0c2d4e6a8 f5b0c2d4e6a8",
        ] {
            assert!(!token.opens(bad), "{bad}");
        }
    }

    #[test]
    fn a_certificate_counts_where_certificates_do_and_pins_choose_among_them() {
        let client = CertificateFacts {
            subject: "CN=monitoring".to_owned(),
            serial_number: None,
            not_before: jiff::Timestamp::MIN,
            not_after: jiff::Timestamp::MAX,
            fingerprint: Fingerprint::of(b"certificate"),
            key_fingerprint: Fingerprint::of(b"key"),
        };
        let access = Access::default().token(&"f5b0c2d4e6a8".into());
        assert!(!access.admits_certificate(&client), "only the token opens");
        for (pins, admitted) in [
            (vec![], true),
            (vec![Fingerprint::of(b"other")], false),
            (vec![Fingerprint::of(b"other"), Fingerprint::of(b"certificate")], true),
            (vec![Fingerprint::of(b"key")], true),
        ] {
            assert_eq!(Access::default().certificates(pins).admits_certificate(&client), admitted);
        }
    }
}
