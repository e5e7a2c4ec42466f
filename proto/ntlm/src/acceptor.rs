//! The accepting side (MS-NLMP section 3.2.5), for simulators: challenges, and judges what is answered. NTLMv2 alone,
//! with the integrity check whenever the client can know of it, and with the channel binding where there is one.

use crate::NtlmError;
use crate::binding;
use crate::crypto::{hmac_md5, rc4, response_key, utf16};
use crate::message::{Authenticate, Challenge, FLAG_INTEGRITY, Negotiate, flag, pair, read_pairs};

#[cfg(test)]
mod tests;

/// How long an answer may take by the clock that it carries, in units of 100 ns: half an hour, as Windows has it.
const CLOCK_SKEW_MAX: u64 = 30 * 60 * 10_000_000;
/// Before the first byte of the pairs in an NTLMv2 answer: the proof, versions, time, the client's random number.
const BEFORE_PAIRS: usize = 44;

/// How a challenge is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The domain's name.
    pub domain: String,
    /// The computer's name.
    pub computer: String,
    /// What the TLS connection is bound by ([`binding::end_point`]); `None` = it is none.
    pub binding: Option<Vec<u8>>,
}

/// What a challenge asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// NTLMv2, as it should be.
    V2,
    /// Less, as somebody in the middle would have it.
    V1,
    /// Still less.
    Lm,
}

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The message cannot be read.
    #[error("reading the login")]
    Unreadable(#[from] NtlmError),
    /// An answer of an older kind, or none.
    #[error("checking the login: it is not ntlmv2")]
    NotV2,
    /// No such account.
    #[error("checking the login: there is no such account")]
    UnknownUser,
    /// The proof is not of this password, this challenge and these pairs.
    #[error("checking the login: wrong password")]
    WrongPassword,
    /// The integrity check is missing where the challenge told a time, or does not hold.
    #[error("checking the login: the integrity check does not hold")]
    Integrity,
    /// The binding is missing or of another connection.
    #[error("checking the login: it is bound to another connection")]
    Binding,
    /// The answer's time is not now.
    #[error("checking the login: its time is not now")]
    Time,
}

/// A login under way: the challenge was sent.
#[derive(Debug, Clone)]
pub struct Pending {
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    nonce: [u8; 8],
    now: u64,
    binding: Option<Vec<u8>>,
}

/// The account that logged on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// As the client wrote it.
    pub user: String,
    /// As the client wrote it; empty with a user principal name.
    pub domain: String,
    /// Is the login bound to the TLS connection?
    pub bound: bool,
}

impl Server {
    /// Answers the client's first message. `now` counts 100 ns since 1601, `nonce` is random. Returns what is to be
    /// sent and what is to be remembered.
    ///
    /// # Errors
    /// [`NtlmError`]: that is no first message.
    pub fn challenge(
        &self,
        negotiate: &[u8],
        strength: Strength,
        nonce: [u8; 8],
        now: u64,
    ) -> Result<(Vec<u8>, Pending), NtlmError> {
        let proposed = Negotiate::decode(negotiate)?.flags;
        let always = flag::UNICODE | flag::REQUEST_TARGET | flag::TARGET_TYPE_DOMAIN | flag::VERSION;
        let kept = flag::SIGN | flag::SEAL | flag::ALWAYS_SIGN;
        let kept = kept | flag::KEY_128 | flag::KEY_EXCHANGE | flag::KEY_56;
        let flags = always | (proposed & kept);
        let (flags, told) = match strength {
            Strength::V2 => (flags | flag::NTLM | flag::EXTENDED_SESSION_SECURITY | flag::TARGET_INFO, true),
            Strength::V1 => (flags | flag::NTLM, false),
            Strength::Lm => (flags | flag::LM_KEY, false),
        };
        let info = vec![
            (pair::DOMAIN, utf16(&self.domain)),
            (pair::COMPUTER, utf16(&self.computer)),
            (pair::TIMESTAMP, now.to_le_bytes().to_vec()),
        ];
        let target_info = if told { info } else { Vec::new() };
        let challenge = Challenge { flags, nonce, target_name: utf16(&self.domain), target_info }.encode();
        let binding = self.binding.clone();
        let pending =
            Pending { negotiate: negotiate.to_vec(), challenge: challenge.clone(), nonce, now, binding };
        Ok((challenge, pending))
    }
}

impl Pending {
    /// Judges the client's second message. `password_of` finds the password of an account (user, domain); `now` as
    /// above.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn judge(
        &self,
        authenticate: &[u8],
        now: u64,
        password_of: impl FnOnce(&str, &str) -> Option<String>,
    ) -> Result<Accepted, Refused> {
        let answer = Authenticate::decode(authenticate)?;
        let response = &answer.nt_response;
        // 24 bytes are NTLMv1's answer; NTLMv2's begins with versions 1 and 1
        if response.len() < BEFORE_PAIRS + 4 || response[16..18] != [1, 1] {
            return Err(Refused::NotV2);
        }
        let password = password_of(&answer.user, &answer.domain).ok_or(Refused::UnknownUser)?;
        let key = response_key(&password, &answer.user, &answer.domain);
        let (proof, signed) = response.split_at(16);
        if hmac_md5(&key, &[&self.nonce, signed]) != proof {
            return Err(Refused::WrongPassword);
        }
        let pairs = read_pairs(&response[BEFORE_PAIRS..])?;
        let value = |kind| pairs.iter().find(|(found, _)| *found == kind).map(|(_, value)| value.as_slice());
        self.check_time(signed, value(pair::TIMESTAMP), now)?;
        let bound = self.check_binding(value(pair::CHANNEL_BINDINGS))?;
        let flags = pairs.iter().filter(|(kind, _)| *kind == pair::FLAGS);
        let checked = flags
            .filter_map(|(_, value)| value.as_slice().try_into().ok())
            .any(|value| u32::from_le_bytes(value) & FLAG_INTEGRITY != 0);
        let session_base = hmac_md5(&key, &[proof]);
        self.check_integrity(authenticate, &answer, session_base, checked)?;
        Ok(Accepted { user: answer.user, domain: answer.domain, bound })
    }

    fn check_time(&self, signed: &[u8], told: Option<&[u8]>, now: u64) -> Result<(), Refused> {
        // the time of the challenge comes back in the pairs, and the answer's own is the same (section 3.1.5.1.2)
        if told.is_some_and(|told| told != self.now.to_le_bytes().as_slice()) {
            return Err(Refused::Time);
        }
        let own = signed.get(8..16).and_then(|time| time.try_into().ok()).map(u64::from_le_bytes);
        match own {
            Some(own) if own.abs_diff(now) <= CLOCK_SKEW_MAX => Ok(()),
            _ => Err(Refused::Time),
        }
    }

    /// Is it bound? A client that does not bind at all says so by a hash of zeros, or with no pair.
    fn check_binding(&self, told: Option<&[u8]>) -> Result<bool, Refused> {
        let told = told.filter(|told| told.iter().any(|byte| *byte != 0));
        match (&self.binding, told) {
            (Some(binding), Some(told)) if binding::digest(binding) == told => Ok(true),
            (None, None) => Ok(false),
            // a login without binding over TLS is what somebody in the middle has to offer
            _ => Err(Refused::Binding),
        }
    }

    fn check_integrity(
        &self,
        authenticate: &[u8],
        answer: &Authenticate,
        session_base: [u8; 16],
        checked: bool,
    ) -> Result<(), Refused> {
        // a key is chosen only where something follows that it is for; clients fill the field with a byte otherwise
        let exchanged = answer.flags & flag::KEY_EXCHANGE != 0
            && answer.flags & (flag::SIGN | flag::SEAL) != 0
            && answer.session_key.len() == session_base.len();
        let session = if exchanged { rc4(&session_base, &answer.session_key) } else { session_base.to_vec() };
        let range = Authenticate::INTEGRITY;
        let (true, Some(told)) = (checked, authenticate.get(range.clone())) else {
            return Err(Refused::Integrity);
        };
        let mut blank = authenticate.to_vec();
        blank[range].fill(0);
        if hmac_md5(&session, &[&self.negotiate, &self.challenge, &blank]) != told {
            return Err(Refused::Integrity);
        }
        Ok(())
    }
}
