//! Reading files with certificates and keys: bounded, with errors that name the file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls_pki_types::pem::{Error, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::TrustError;

/// The largest file that is read. The bundle of all public roots has about 250 KiB.
pub(crate) const LIMIT_BYTES: u64 = 4 * 1024 * 1024;

/// All certificates of the file, at least one. `what` names them in errors.
pub(crate) fn certificates(
    path: &Path,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let bytes = Zeroizing::new(read(path, what, LIMIT_BYTES)?);
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
    let what = "a private key";
    let bytes = Zeroizing::new(read(path, what, LIMIT_BYTES)?);
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        Error::NoItemsFound => TrustError::Nothing { what, path: path.to_owned() },
        source => TrustError::Pem { what, path: path.to_owned(), source },
    })
}

/// The first private key of the file that stands under a password (DER of the encrypted PKCS #8).
pub(crate) fn encrypted_key(path: &Path) -> Result<Option<Vec<u8>>, TrustError> {
    const BEGIN: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    const END: &[u8] = b"-----END ENCRYPTED PRIVATE KEY-----";
    let what = "a private key";
    let bytes = Zeroizing::new(read(path, what, LIMIT_BYTES)?);
    let find = |from: usize, mark: &[u8]| {
        bytes[from..].windows(mark.len()).position(|window| window == mark).map(|at| from + at)
    };
    let Some(begin) = find(0, BEGIN).map(|at| at + BEGIN.len()) else { return Ok(None) };
    // the reader of PEM does not know this label: its body is read under one that it knows
    let Some(end) = find(begin, END) else {
        let source = Error::MissingSectionEnd { end_marker: END.to_vec() };
        return Err(TrustError::Pem { what, path: path.to_owned(), source });
    };
    let mut known = Zeroizing::new(b"-----BEGIN PRIVATE KEY-----".to_vec());
    known.extend_from_slice(&bytes[begin..end]);
    known.extend_from_slice(b"-----END PRIVATE KEY-----\n");
    let der = PrivatePkcs8KeyDer::from_pem_slice(&known);
    let der = der.map_err(|source| TrustError::Pem { what, path: path.to_owned(), source })?;
    Ok(Some(der.secret_pkcs8_der().to_vec()))
}

/// Does a section of PEM begin somewhere in it? Texts may stand before it; DER, which a PKCS #12 file is, begins with a
/// sequence.
pub(crate) fn is_pem(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    bytes.first() != Some(&0x30) && bytes.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// The file's bytes, up to `limit_bytes`.
pub(crate) fn read(path: &Path, what: &'static str, limit_bytes: u64) -> Result<Vec<u8>, TrustError> {
    let failed = |source| TrustError::Read { what, path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(TrustError::TooLarge { what, path: path.to_owned(), limit_bytes });
    }
    Ok(bytes)
}
