//! A TLS configuration that takes any certificate of a server on this machine
//! (`danger_accept_invalid_certificates`): for demonstrations. The service refuses the setting where an address leads
//! elsewhere, and says at each start that it is on; what leads elsewhere in spite of that, such as a redirect, fails.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// From now on the configuration verifies nobody's name, authority or dates; only that the server has the key of the
/// certificate that it shows.
pub(crate) fn accept_any_certificate(config: &mut ClientConfig) {
    let provider = Arc::clone(config.crypto_provider());
    config.dangerous().set_certificate_verifier(Arc::new(Anybody { provider }));
}

#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_here = match server_name {
            ServerName::IpAddress(address) => std::net::IpAddr::from(*address).is_loopback(),
            ServerName::DnsName(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
            _ => false,
        };
        if is_here {
            Ok(ServerCertVerified::assertion())
        } else {
            // also where a redirect leads
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    //! Goal: what is accepted without verification is on this machine.
    use super::*;

    #[test]
    fn a_server_elsewhere_is_refused_in_spite_of_it() {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let anybody = Anybody { provider };
        let certificate = CertificateDer::from(vec![0x30, 0]);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_780_272_000));
        let judge = |name: &'static str| {
            let name = ServerName::try_from(name).unwrap();
            anybody.verify_server_cert(&certificate, &[], &name, &[], now).map(|_| ())
        };
        for here in ["127.0.0.1", "127.8.8.8", "::1", "localhost"] {
            assert_eq!(judge(here), Ok(()), "{here}");
        }
        for elsewhere in ["mail.example.dk", "10.0.0.1", "localhost.example.dk", "fe80::1"] {
            assert_eq!(judge(elsewhere), Err(CertificateError::UnknownIssuer.into()), "{elsewhere}");
        }
    }
}
