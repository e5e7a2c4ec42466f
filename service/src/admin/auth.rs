//! Whether a call bears the token.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The token, as far as it is needed: its SHA-256, so that comparing tells nothing about it by its duration.
pub(super) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(super) fn of(token: &SecretString) -> Self {
        Self(Sha256::digest(token.expose_secret().as_bytes()).into())
    }

    /// Does the header `Authorization` bear the token? In constant time for any token that is presented.
    pub(super) fn opens(&self, header: &str) -> bool {
        let Some((scheme, token)) = header.split_once(' ') else { return false };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return false;
        }
        let presented: [u8; 32] = Sha256::digest(token.trim().as_bytes()).into();
        let difference = self.0.iter().zip(presented).fold(0_u8, |all, (ours, theirs)| all | (ours ^ theirs));
        std::hint::black_box(difference) == 0
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
}
