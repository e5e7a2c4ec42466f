//! Signing requests and verifying answers, where the agreement asks for it (`planner.security = "mtls+wss"`).
//!
//! The keys follow the files: they are made anew when the TLS files have been read again. Answers are
//! accepted once: the memory of seen signatures belongs to this client and its clones.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proto_wsse::{SeenSignatures, Signer, Verifier, WsseError};
use trust::LiveTls;
use uuid::Uuid;

use crate::PlannerError;

#[cfg(test)]
mod tests;

/// How calls are secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// By TLS with both sides' certificates alone.
    Mtls,
    /// And by signatures over each request and each answer.
    MtlsWss {
        /// How much the clocks of the two sides may differ.
        tolerance: Duration,
    },
}

/// Signs and verifies.
#[derive(Debug)]
pub(crate) struct Messages {
    tolerance: SignedDuration,
    limit_bytes: usize,
    keys: RwLock<Arc<Keys>>,
    seen: Mutex<SeenSignatures>,
}

#[derive(Debug)]
struct Keys {
    signer: Signer,
    verifier: Verifier,
}

impl Messages {
    /// With the certificates that TLS uses now.
    pub(crate) fn new(tls: &LiveTls, tolerance: Duration, limit_bytes: usize) -> Result<Self, PlannerError> {
        let tolerance = SignedDuration::try_from(tolerance).unwrap_or(SignedDuration::ZERO);
        let keys = Keys::read(tls, tolerance, limit_bytes)?;
        let seen = Mutex::new(SeenSignatures::default());
        Ok(Self { tolerance, limit_bytes, keys: RwLock::new(Arc::new(keys)), seen })
    }

    /// Takes the certificates that TLS uses now.
    pub(crate) fn refresh(&self, tls: &LiveTls) -> Result<(), PlannerError> {
        let keys = Arc::new(Keys::read(tls, self.tolerance, self.limit_bytes)?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// The request with its signature.
    pub(crate) fn sign(&self, message: &str, now: Timestamp, id: Uuid) -> Result<String, WsseError> {
        self.keys().signer.sign(message, now, id)
    }

    /// The signed part of an answer that came at `now` to a request made at `asked`.
    pub(crate) fn verify(
        &self,
        answer: &[u8],
        now: Timestamp,
        asked: Timestamp,
    ) -> Result<String, WsseError> {
        let verified = self.keys().verifier.verify(answer, now, Some(asked))?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).admit(&verified, now)?;
        Ok(verified.envelope)
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Keys {
    fn read(tls: &LiveTls, tolerance: SignedDuration, limit_bytes: usize) -> Result<Self, PlannerError> {
        let identity = tls.identity().ok_or(PlannerError::NoSigningCertificate)?;
        let signer = Signer::new(identity.certificate(), identity.key()).map_err(PlannerError::Keys)?;
        let verifier = Verifier::new(&tls.signers(), tolerance, limit_bytes).map_err(PlannerError::Keys)?;
        Ok(Self { signer, verifier })
    }
}
