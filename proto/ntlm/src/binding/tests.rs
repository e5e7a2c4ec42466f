//! Goal: the binding is the hash that RFC 5929 says for each kind of certificate. The certificates are made with
//! rcgen; their hashes are taken here with the algorithm that the test names.

use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{digest, end_point};

fn certificate(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let parameters = CertificateParams::new(vec!["mail.sim.test".to_owned()]).unwrap();
    parameters.self_signed(&key).unwrap().der().to_vec()
}

fn expected(hash: &[u8]) -> Option<Vec<u8>> {
    Some([b"tls-server-end-point:", hash].concat())
}

#[test]
fn the_hash_follows_the_signature_of_the_certificate() {
    for algorithm in [&rcgen::PKCS_RSA_SHA256, &rcgen::PKCS_ECDSA_P256_SHA256] {
        let der = certificate(algorithm);
        assert_eq!(end_point(&der), expected(&Sha256::digest(&der)));
    }
    for algorithm in [&rcgen::PKCS_RSA_SHA384, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let der = certificate(algorithm);
        assert_eq!(end_point(&der), expected(&Sha384::digest(&der)));
    }
    let der = certificate(&rcgen::PKCS_RSA_SHA512);
    assert_eq!(end_point(&der), expected(&Sha512::digest(&der)));
}

/// One element of DER, short.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, content.len() as u8], content].concat()
}

#[test]
fn the_hash_of_a_pss_signature_stands_in_its_parameters() {
    let made = |parameters: &[u8]| {
        let algorithm = [der(0x06, super::PSS), parameters.to_vec()].concat();
        der(0x30, &[der(0x30, &[]), der(0x30, &algorithm), der(0x03, &[0])].concat())
    };
    let hash = der(0xa0, &der(0x30, &der(0x06, super::SHA_512[2])));
    let with_sha512 = made(&der(0x30, &hash));
    assert_eq!(end_point(&with_sha512), expected(&Sha512::digest(&with_sha512)));
    let with_default = made(&der(0x30, &[]));
    assert_eq!(end_point(&with_default), expected(&Sha256::digest(&with_default)), "SHA-1 counts as SHA-256");
}

#[test]
fn there_is_none_where_no_hash_is_defined_or_nothing_can_be_read() {
    assert_eq!(end_point(&certificate(&rcgen::PKCS_ED25519)), None);
    let whole = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
    for length in 0..whole.len() {
        // cut off anywhere, the outer length no longer holds
        assert_eq!(end_point(&whole[..length]), None, "{length}");
    }
    assert_eq!(end_point(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    assert_eq!(end_point(&[0x30, 0x80, 0, 0]), None);
}

/// MD5 over four zero words, the length and the data, as Windows has it; computed with Python's
/// struct and hashlib.
#[test]
fn the_digest_is_that_of_the_structure() {
    let data = [b"tls-server-end-point:".as_slice(), &[7; 32]].concat();
    assert_eq!(hex::encode(digest(&data)), "b1a3c6580100729194d4b9487c9edceb");
}
