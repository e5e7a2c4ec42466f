//! Whose certificate was refused, when a connection failed.

use std::error::Error;

use rustls::AlertDescription as Alert;

/// A chain of causes longer than this is not walked to its end.
const CAUSES_MAX: usize = 32;

/// A certificate that was refused in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedCertificate {
    /// The other side's, by us: another authority, name, time or pin than it must be.
    Theirs,
    /// Ours, by the other side.
    Ours,
}

/// Finds in an error of a connection, or in its causes, that a certificate was refused.
///
/// With TLS 1.3 the other side's refusal comes after our first request has left; it has not read that then,
/// because it verifies the certificate first.
pub fn refused_certificate(error: &(dyn Error + 'static)) -> Option<RefusedCertificate> {
    let mut next = Some(error);
    for _ in 0..CAUSES_MAX {
        let error = next?;
        if let Some(found) = error.downcast_ref::<rustls::Error>().and_then(judge) {
            return Some(found);
        }
        // an io::Error hides what it was made of from `source`
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

fn judge(error: &rustls::Error) -> Option<RefusedCertificate> {
    match error {
        rustls::Error::InvalidCertificate(_) => Some(RefusedCertificate::Theirs),
        rustls::Error::AlertReceived(
            Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRequired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::NoCertificate
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied,
        ) => Some(RefusedCertificate::Ours),
        _ => None,
    }
}
