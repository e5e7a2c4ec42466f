//! The files with certificates, looked at as `run` would: for `kommuneklient config check` alone.
//!
//! Other commands do not come here: they need no certificate, and whoever gives them may not be allowed to read keys.

use std::fs::File;
use std::path::Path;

use jiff::Timestamp;
use trust::{
    CertificateFiles, ClientTls, ClientsCertificate, MutualTls, OwnCertificate, Password, Roots, TrustError,
};

use super::{Config, HttpConfig, PlannerConfig, Problems, Role};

/// The keys that say where a certificate of ours is.
struct Keys {
    certificate: &'static str,
    key: &'static str,
    /// What opens the key.
    password: &'static str,
    /// Which of several is meant.
    serial_number: &'static str,
}

impl Config {
    /// Reports each key whose file with certificates, or with what belongs to them, `run` with these roles could not
    /// use at `now`.
    pub(super) fn certificates_usable(&self, now: Timestamp, problems: &mut Problems) {
        let exchange = &self.exchange;
        if self.node.reads_exchange()
            && exchange.root_certificates.is_some()
            && let Err(error) = exchange.tls().client_config()
        {
            tell("exchange.root_certificates", &error, problems);
        }
        if self.node.has(Role::Communicate) {
            planner(&self.planner, now, problems);
        }
        admin(&self.http, now, problems);
    }
}

fn planner(config: &PlannerConfig, now: Timestamp, problems: &mut Problems) {
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
        if is_given && let Err(error) = part.open(now) {
            tell(key, &error, problems);
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
            serial_number: "planner.client_certificate_serial_number",
        };
        own(&certificate, &keys, now, problems);
    }
}

fn admin(config: &HttpConfig, now: Timestamp, problems: &mut Problems) {
    if !config.has_admin() {
        return;
    }
    let Some(tls) = config.admin_tls() else { return };
    let keys = Keys {
        certificate: "http.admin_certificate",
        key: "http.admin_key",
        // its key stands open, and its file holds one certificate
        password: "http.admin_key",
        serial_number: "http.admin_certificate",
    };
    own(&tls.certificate, &keys, now, problems);
    if let ClientsCertificate::Optional(file) | ClientsCertificate::Required(file) = tls.clients
        && let Err(error) = (ClientTls { roots: Roots::Only(file) }).client_config()
    {
        tell("http.admin_client_authorities", &error, problems);
    }
}

/// A certificate of ours with its key: first whether its files can be opened, all of them, then what they hold.
fn own(certificate: &OwnCertificate, keys: &Keys, now: Timestamp, problems: &mut Problems) {
    let mut are_there = true;
    for (key, file) in needed(certificate, keys) {
        if let Err(error) = File::open(file) {
            problems.add(key, format!("cannot read {}: {error}; {OTHER_FILE}", file.display()));
            are_there = false;
        }
    }
    if are_there && let Err(error) = certificate.load(now) {
        tell(key_of(&error, certificate, keys), &error, problems);
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

fn tell(key: &str, error: &TrustError, problems: &mut Problems) {
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
