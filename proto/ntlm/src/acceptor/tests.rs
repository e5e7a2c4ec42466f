//! Goal: the figures of MS-NLMP section 4.2.4 come out here, so that what the simulator accepts is NTLMv2; and each
//! thing that is wrong with a login is refused by its own name. A login by a client of other make (`sspi`, exchangelib)
//! stands in the connector's tests and in `make test-peers`.

use crate::binding;
use crate::crypto::{hmac_md5, rc4, response_key, utf16};
use crate::message::tests::{AUTHENTICATE, CHALLENGE, bytes};
use crate::message::{Authenticate, flag, pair};

use super::{Pending, Refused, Server, Strength};

const NOW: u64 = 133_000_000_000_000_000;
const NONCE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

#[test]
fn the_figures_of_the_specification_come_out() {
    let key = response_key("Password", "User", "Domain");
    assert_eq!(hex::encode(key), "0c868a403bfd7a93a3001ef22ef02e3f", "4.2.4.1.1 NTOWFv2");
    let answer = Authenticate::decode(&bytes(AUTHENTICATE)).unwrap();
    let (proof, signed) = answer.nt_response.split_at(16);
    assert_eq!(hmac_md5(&key, &[&NONCE, signed]), proof, "4.2.4.2.2 NTLMv2 response");
    assert_eq!(hmac_md5(&key, &[&NONCE, &[0xaa; 8]]), answer.lm_response[..16], "4.2.4.2.1 LMv2 response");
    let session_base = hmac_md5(&key, &[proof]);
    assert_eq!(hex::encode(session_base), "8de40ccadbc14a82f15cb0ad0de95ca3", "4.2.4.1.2 session base key");
    assert_eq!(rc4(&session_base, &answer.session_key), [0x55; 16], "4.2.4.2.3 encrypted session key");
}

/// The specification's own login: its password is right, and that is not enough, since it carries no integrity check.
#[test]
fn the_login_of_the_specification_is_refused_for_its_missing_integrity_check_alone() {
    let pending =
        Pending { negotiate: Vec::new(), challenge: bytes(CHALLENGE), nonce: NONCE, now: 0, binding: None };
    let judge = |password: &str| pending.judge(&bytes(AUTHENTICATE), 0, |_, _| Some(password.to_owned()));
    assert_eq!(judge("Password"), Err(Refused::Integrity));
    assert_eq!(judge("password"), Err(Refused::WrongPassword));
    assert_eq!(pending.judge(&bytes(AUTHENTICATE), 0, |_, _| None), Err(Refused::UnknownUser));
    assert_eq!(
        pending.judge(&bytes(AUTHENTICATE), NOW, |_, _| Some("Password".to_owned())),
        Err(Refused::Time)
    );
}

/// What a client says in its second message, for the tests: a whole login, piece by piece.
#[derive(Clone)]
struct Client {
    password: &'static str,
    time: u64,
    told_time: Option<u64>,
    binding: Option<[u8; 16]>,
    integrity: bool,
    session_key: Option<[u8; 16]>,
}

impl Client {
    fn good(binding: Option<&[u8]>) -> Self {
        let binding = binding.map(binding::digest);
        Self { password: "pw", time: NOW, told_time: Some(NOW), binding, integrity: true, session_key: None }
    }

    fn answer(&self, negotiate: &[u8], challenge: &[u8]) -> Vec<u8> {
        let mut pairs: Vec<(u16, Vec<u8>)> = Vec::new();
        pairs.extend(self.told_time.map(|time| (pair::TIMESTAMP, time.to_le_bytes().to_vec())));
        pairs.extend(self.integrity.then(|| (pair::FLAGS, vec![2, 0, 0, 0])));
        pairs.extend(self.binding.map(|hash| (pair::CHANNEL_BINDINGS, hash.to_vec())));
        let mut signed = vec![1, 1, 0, 0, 0, 0, 0, 0];
        signed.extend(self.time.to_le_bytes());
        signed.extend([0xaa; 8]);
        signed.extend([0; 4]);
        signed.extend(crate::message::write_pairs(&pairs));
        let key = response_key(self.password, "svc", "SIM");
        let proof = hmac_md5(&key, &[&NONCE, &signed]);
        let session_base = hmac_md5(&key, &[&proof]);
        let session = self.session_key.unwrap_or(session_base);
        let encrypted = self.session_key.map(|key| rc4(&session_base, &key)).unwrap_or_default();
        let response = [&proof[..], &signed].concat();
        let parts = [vec![0; 24], response, utf16("SIM"), utf16("svc"), Vec::new(), encrypted];
        let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
        let mut offset = 88;
        for part in &parts {
            crate::message::put_field(&mut message, part.len(), offset);
            offset += part.len();
        }
        let exchanged = if self.session_key.is_some() { flag::KEY_EXCHANGE | flag::SIGN } else { 0 };
        message.extend((flag::UNICODE | flag::NTLM | exchanged).to_le_bytes());
        message.extend([0; 8 + 16]);
        message.extend(parts.concat());
        let check = hmac_md5(&session, &[negotiate, challenge, &message]);
        if self.integrity {
            message[Authenticate::INTEGRITY].copy_from_slice(&check);
        }
        message
    }
}

/// A login of `client` at a server of this binding; `spoil` may change the last message on its way.
fn login(
    client: &Client,
    binding: Option<&[u8]>,
    spoil: impl FnOnce(&mut Vec<u8>),
) -> Result<super::Accepted, Refused> {
    let server =
        Server { domain: "SIM".into(), computer: "MAIL".into(), binding: binding.map(<[u8]>::to_vec) };
    let negotiate = [b"NTLMSSP\0\x01\0\0\0".as_slice(), &[0x07, 0x82, 0x08, 0xa2]].concat();
    let (challenge, pending) = server.challenge(&negotiate, Strength::V2, NONCE, NOW).unwrap();
    let mut message = client.answer(&negotiate, &challenge);
    spoil(&mut message);
    pending.judge(&message, NOW + 10_000_000, |user, _| (user == "svc").then(|| "pw".to_owned()))
}

#[test]
fn a_good_login_is_accepted_with_and_without_tls_and_key_exchange() {
    for binding in [None, Some(b"tls-server-end-point:abc".as_slice())] {
        for session_key in [None, Some([9; 16])] {
            let accepted = login(&Client { session_key, ..Client::good(binding) }, binding, |_| {}).unwrap();
            assert_eq!((accepted.user.as_str(), accepted.bound), ("svc", binding.is_some()));
        }
    }
}

#[test]
fn each_thing_that_is_wrong_is_refused_by_its_name() {
    let tls = b"tls-server-end-point:abc".as_slice();
    let other = b"tls-server-end-point:abd".as_slice();
    let good = Client::good(Some(tls));
    let cases = [
        ("password", Client { password: "pW", ..good.clone() }, Refused::WrongPassword),
        ("no integrity check", Client { integrity: false, ..good.clone() }, Refused::Integrity),
        ("no binding", Client { binding: None, ..good.clone() }, Refused::Binding),
        ("a binding of zeros", Client { binding: Some([0; 16]), ..good.clone() }, Refused::Binding),
        ("another connection", Client::good(Some(other)), Refused::Binding),
        ("an old time", Client { time: NOW - 40 * 60 * 10_000_000, ..good.clone() }, Refused::Time),
        ("another challenge's time", Client { told_time: Some(NOW - 1), ..good.clone() }, Refused::Time),
    ];
    for (what, client, refused) in cases {
        assert_eq!(login(&client, Some(tls), |_| {}), Err(refused), "{what}");
    }
    // changed on its way: flags are covered by the integrity check alone
    assert_eq!(login(&good, Some(tls), |message| message[61] ^= 0x40), Err(Refused::Integrity));
    // NTLMv1's answer is 24 bytes
    let v1 = |message: &mut Vec<u8>| message[20..24].copy_from_slice(&[24, 0, 24, 0]);
    assert_eq!(login(&good, Some(tls), v1), Err(Refused::NotV2));
    // bound to a connection of which the server knows nothing
    assert_eq!(login(&good, None, |_| {}), Err(Refused::Binding));
}

#[test]
fn challenges_are_as_strong_as_they_are_told_to_be() {
    use crate::message::{Challenge, Weakness};
    let server = Server { domain: "SIM".into(), computer: "MAIL".into(), binding: None };
    let negotiate = [b"NTLMSSP\0\x01\0\0\0".as_slice(), &[0x07, 0x82, 0x08, 0xa2]].concat();
    for (strength, weakness) in
        [(Strength::V2, None), (Strength::V1, Some(Weakness::V1)), (Strength::Lm, Some(Weakness::Lm))]
    {
        let (challenge, _) = server.challenge(&negotiate, strength, NONCE, NOW).unwrap();
        assert_eq!(Challenge::decode(&challenge).unwrap().weakness(), weakness, "{strength:?}");
    }
    assert!(server.challenge(b"NTLMSSP\0\x03\0\0\0", Strength::V2, NONCE, NOW).is_err());
}

/// A login of pyspnego 0.12.4 (requests_ntlm, exchangelib) as it came over the wire, account `svc` with password `pw`. It
/// agrees to a key exchange that nothing follows, and fills the field of the key with a byte.
#[test]
fn a_login_of_another_client_is_accepted_as_it_came() {
    let message = |text: &str| crate::header::message_in(&format!("NTLM {text}")).unwrap().unwrap();
    let negotiate = message("TlRMTVNTUAABAAAAN4II4gAAAAAoAAAAAAAAACgAAAAADAQAAAAADw==");
    let challenge = message(
        "TlRMTVNTUAACAAAABgAGADgAAAAFgonitsB+NFzEB1sAAAAAAAAAACYAJgA+AAAACgBjRQAAAA9TAEkATQACAAYAUwBJAE0AAQAIAE0AQQBJAEwA\
         BwAIAAYUgYOLet0BAAAAAA=="
            .replace(' ', "")
            .as_str(),
    );
    let authenticate = message(
        "TlRMTVNTUAADAAAAGAAYAFgAAAB+AH4AcAAAAAAAAADuAAAABgAGAO4AAAAEAAQA9AAAAAEAAQD4AAAABYKJ4gAMBAAAAAAPAZ7Kh0tZpuBn7DWg\
         wnSw+gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIekJgW1oL/uiL+0OMULczYBAQAAAAAAAAYUgYOLet0BWFHMWhFwnhgAAAAAAgAGAFMASQBNAAEA\
         CABNAEEASQBMAAcACAAGFIGDi3rdAQkAHABoAHQAdABwAC8AMQAyADcALgAwAC4AMAAuADEABgAEAAIAAAAAAAAAAAAAAHMAdgBjAFYATQAA",
    );
    let now = u64::from_le_bytes([0x06, 0x14, 0x81, 0x83, 0x8b, 0x7a, 0xdd, 0x01]);
    let nonce = crate::message::Challenge::decode(&challenge).unwrap().nonce;
    let pending = Pending { negotiate, challenge, nonce, now, binding: None };
    let judge = |password: &str| pending.judge(&authenticate, now, |_, _| Some(password.to_owned()));
    let accepted = judge("pw").unwrap();
    assert_eq!((accepted.user.as_str(), accepted.domain.as_str(), accepted.bound), ("svc", "", false));
    assert_eq!(judge("pW"), Err(Refused::WrongPassword));
    let bound = Pending { binding: Some(b"tls-server-end-point:abc".to_vec()), ..pending.clone() };
    assert_eq!(bound.judge(&authenticate, now, |_, _| Some("pw".to_owned())), Err(Refused::Binding));
}
