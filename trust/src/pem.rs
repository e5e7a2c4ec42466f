//! Reading PEM files: bounded, with errors that name the file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls_pki_types::pem::{Error, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::TrustError;

/// The largest PEM file that is read. The bundle of all public roots has about 250 KiB.
const LIMIT_BYTES: u64 = 4 * 1024 * 1024;

/// All certificates of the file, at least one. `what` names them in errors.
pub(crate) fn certificates(
    path: &Path,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let bytes = read(path, what)?;
    let certificates = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TrustError::Pem { what, path: path.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(TrustError::Nothing { what, path: path.to_owned() });
    }
    Ok(certificates)
}

/// The first private key of the file (PKCS #8, PKCS #1 or SEC 1, not encrypted).
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TrustError> {
    let what = "an unencrypted private key";
    let bytes = read(path, what)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        Error::NoItemsFound => TrustError::Nothing { what, path: path.to_owned() },
        source => TrustError::Pem { what, path: path.to_owned(), source },
    })
}

fn read(path: &Path, what: &'static str) -> Result<Vec<u8>, TrustError> {
    let failed = |source| TrustError::Read { what, path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(LIMIT_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(TrustError::TooLarge { what, path: path.to_owned(), limit_bytes: LIMIT_BYTES });
    }
    Ok(bytes)
}
