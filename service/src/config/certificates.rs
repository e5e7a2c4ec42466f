//! The files with certificates, looked at as `run` would: for `kommuneklient config check` and `doctor` alone.
//!
//! Other commands do not come here: they need no certificate, and whoever gives them may not be allowed to read keys.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use trust::{
    CertificateFacts, CertificateFiles, ClientTls, ClientsCertificate, ExpiryStep, MutualTls, OwnCertificate,
    Password, Roots, TrustError,
};
use zeroize::Zeroizing;

use super::{Config, HttpConfig, PlannerConfig, Problems, Remark, Role};
use crate::texts::config as t;

/// The keys that say where a certificate of ours is.
struct Keys {
    certificate: &'static str,
    key: &'static str,
    /// What opens the key.
    password: &'static str,
    /// What to do where the key stands under a password and none is given.
    without_password: &'static str,
    /// Which of several is meant.
    serial_number: &'static str,
}

impl Config {
    /// Reports each key whose file with certificates, or with what belongs to them, `run` with these roles could not
    /// use at `now`. Answers which of the certificates that it could use are near their end, over it, or not valid yet.
    pub(super) fn certificates_usable(&self, now: Timestamp, problems: &mut Problems) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let exchange = &self.exchange;
        if self.node.reads_exchange()
            && exchange.root_certificates.is_some()
            && let Err(error) = exchange.tls().client_config()
        {
            tell("exchange.root_certificates", &error, problems);
        }
        if self.node.has(Role::Communicate) {
            planner(&self.planner, now, problems, &mut remarks);
        }
        admin(&self.http, now, problems, &mut remarks);
        remarks
    }

    /// What is wrong at `now` with the files for connections to Planner, whatever the roles.
    pub(crate) fn planner_files(&self, now: Timestamp) -> Problems {
        let mut problems = Problems::default();
        planner(&self.planner, now, &mut problems, &mut Vec::new());
        problems.locate(&self.origins);
        problems
    }
}

/// What should be known of how long a certificate is valid.
fn validity(key: &'static str, facts: &CertificateFacts, now: Timestamp) -> Option<Remark> {
    let (text, at) = match ExpiryStep::of(facts.left(now)) {
        _ if now < facts.not_before => (t::CERTIFICATE_NOT_BEGUN, facts.not_before),
        Some(ExpiryStep::Expired) => (t::CERTIFICATE_OVER, facts.not_after),
        Some(step) if step >= ExpiryStep::Days30 => (t::CERTIFICATE_ENDS, facts.not_after),
        _ => return None,
    };
    let days = facts.days_left(now);
    let values = [("key", key.to_owned()), ("subject", facts.subject.clone()), ("at", at.to_string())];
    Some((text, values.into_iter().chain([("days", days.to_string())]).collect()))
}

fn planner(config: &PlannerConfig, now: Timestamp, problems: &mut Problems, remarks: &mut Vec<Remark>) {
    let MutualTls { roots, certificate, pins, signers } = config.tls();
    // each by itself, so that all that is wrong is told at once; who trusts nobody reads no other file
    let alone = || MutualTls { roots: Roots::Nobody, ..MutualTls::default() };
    for (key, is_given, part) in [
        ("planner.root_certificates", config.root_certificates.is_some(), MutualTls { roots, ..alone() }),
        ("planner.server_pin_file", config.server_pin_file.is_some(), MutualTls { pins, ..alone() }),
        (
            "planner.answer_certificates",
            config.answer_certificates.is_some(),
            MutualTls { signers, ..alone() },
        ),
    ] {
        if !is_given {
            continue;
        }
        match part.open(now) {
            Ok(live) => {
                remarks.extend(live.watched().iter().filter_map(|one| validity(key, &one.facts, now)));
            }
            Err(error) => tell(key, &error, problems),
        }
    }
    let password = match config.client_certificate_password_file {
        Some(_) => "planner.client_certificate_password_file",
        None => "planner.client_certificate_password",
    };
    if let Some(certificate) = certificate {
        let keys = Keys {
            certificate: "planner.client_certificate",
            key: "planner.client_key",
            password,
            without_password: "name the file that holds it in planner.client_certificate_password_file (or give planner.client_certificate_password)",
            serial_number: "planner.client_certificate_serial_number",
        };
        own(&certificate, &keys, now, problems, remarks);
    }
}

fn admin(config: &HttpConfig, now: Timestamp, problems: &mut Problems, remarks: &mut Vec<Remark>) {
    if !config.has_admin() {
        return;
    }
    let Some(tls) = config.admin_tls() else { return };
    let keys = Keys {
        certificate: "http.admin_certificate",
        key: "http.admin_key",
        // its key stands open, and its file holds one certificate
        password: "http.admin_key",
        without_password: "no setting takes one for it: name a key that stands open (openssl pkey -in KEY -out OPEN.pem)",
        serial_number: "http.admin_certificate",
    };
    own(&tls.certificate, &keys, now, problems, remarks);
    if let ClientsCertificate::Optional(file) | ClientsCertificate::Required(file) = tls.clients
        && let Err(error) = (ClientTls { roots: Roots::Only(file) }).client_config()
    {
        tell("http.admin_client_authorities", &error, problems);
    }
}

/// A certificate of ours with its key: first whether its files can be opened, all of them, then what they hold.
fn own(
    certificate: &OwnCertificate,
    keys: &Keys,
    now: Timestamp,
    problems: &mut Problems,
    remarks: &mut Vec<Remark>,
) {
    let mut are_there = true;
    for (key, file) in needed(certificate, keys) {
        if let Err(error) = File::open(file) {
            problems.add(key, format!("cannot read {}: {error}; {OTHER_FILE}", file.display()));
            are_there = false;
        }
    }
    if !are_there {
        return;
    }
    match certificate.load(now) {
        Ok(identity) => remarks.extend(validity(keys.certificate, identity.facts(), now)),
        Err(TrustError::Password { path }) if matches!(certificate.password, Password::None) => {
            let next = keys.without_password;
            problems.add(
                keys.password,
                format!(
                    "the key in {} stands under a password (or the file is damaged), and none was given; {next}",
                    path.display()
                ),
            );
        }
        Err(error) => tell(key_of(&error, certificate, keys), &error, problems),
    }
}

/// The files that are read in any case, with the keys that name them.
fn needed<'a>(certificate: &'a OwnCertificate, keys: &Keys) -> Vec<(&'static str, &'a Path)> {
    match (&certificate.files, &certificate.password) {
        // a key that stands open is used without its password
        (CertificateFiles::Pem { certificate, key }, _) => {
            vec![(keys.certificate, certificate.as_path()), (keys.key, key.as_path())]
        }
        (CertificateFiles::Pkcs12 { file }, Password::File(password)) => {
            vec![(keys.certificate, file.as_path()), (keys.password, password.as_path())]
        }
        (CertificateFiles::Pkcs12 { file }, Password::None | Password::Given(_)) => {
            vec![(keys.certificate, file.as_path())]
        }
    }
}

/// The key that is to be changed.
fn key_of(error: &TrustError, certificate: &OwnCertificate, keys: &Keys) -> &'static str {
    let file: &Path = match error {
        TrustError::NoneMatches { .. } | TrustError::SeveralMatch { .. } => return keys.serial_number,
        TrustError::Password { .. } | TrustError::PasswordForm { .. } => return keys.password,
        TrustError::Read { path, .. }
        | TrustError::TooLarge { path, .. }
        | TrustError::Pem { path, .. }
        | TrustError::Nothing { path, .. }
        | TrustError::KeyOfAnother { path } => path,
        _ => return keys.certificate,
    };
    match (&certificate.files, &certificate.password) {
        (_, Password::File(password)) if password.as_path() == file => keys.password,
        (CertificateFiles::Pem { certificate, key }, _) if key.as_path() == file && key != certificate => {
            keys.key
        }
        _ => keys.certificate,
    }
}

/// What to do about a file that is not there or not ours to read.
const OTHER_FILE: &str = "name a file that is there, and let the user of the service read it";

/// Most bytes of a file that is looked at for its form: a certificate or a key has a few thousand.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What to do about a certificate or a key that is there in DER form (`.cer`, `.der`) where PEM is read; `None` = it is
/// something else.
fn in_der(error: &TrustError) -> Option<String> {
    let (TrustError::Nothing { what, path } | TrustError::Pem { what, path, .. }) = error else {
        return None;
    };
    // it may be a key: wiped when it is dropped
    let mut bytes = Zeroizing::new(Vec::<u8>::with_capacity(FORM_BYTES_MAX));
    File::open(path).ok()?.take(FORM_BYTES_MAX as u64).read_to_end(&mut bytes).ok()?;
    let is_certificate = CertificateFacts::of(&bytes).is_some();
    // a sequence with a length of more than one byte: so a key begins
    let is_sequence = matches!(bytes.get(..2), Some([0x30, 0x81..=0x84]));
    let (holds, tool) = match (what.contains("private key"), is_certificate) {
        (false, true) => ("holds a certificate", "x509"),
        (true, false) if is_sequence => ("seems to hold a key", "pkey"),
        _ => return None,
    };
    let file = path.display();
    Some(format!(
        "cannot be used: {file} {holds} in DER form, and PEM is read here; turn it into PEM: openssl {tool} -inform der -in {file} -out {file}.pem; then name that"
    ))
}

fn tell(key: &str, error: &TrustError, problems: &mut Problems) {
    if let Some(told) = in_der(error) {
        return problems.add(key, told);
    }
    let next = match error {
        TrustError::Read { .. } => OTHER_FILE,
        TrustError::Pem { .. }
        | TrustError::TooLarge { .. }
        | TrustError::Nothing { .. }
        | TrustError::Unreadable { .. }
        | TrustError::Root { .. } => "name the file that holds it",
        TrustError::Pkcs12 { .. } => "name a PKCS #12 file, or a PEM file and its key",
        TrustError::Password { .. } | TrustError::PasswordForm { .. } => "give the password that opens it",
        TrustError::KeyOfAnother { .. } => "name the key that belongs to it",
        TrustError::NoneMatches { .. } => "write one of these",
        TrustError::OwnCertificate { .. } => "name a certificate with a key of a usual kind (RSA, ECDSA)",
        // the others say it themselves
        _ => return problems.add(key, format!("cannot be used: {}", telemetry::chain(error))),
    };
    problems.add(key, format!("cannot be used: {}; {next}", telemetry::chain(error)));
}
