//! `make fuzz-seeds`: writes `fuzz/seeds` anew, what fuzzing begins with, from the tests: the messages that their
//! strategies make, the texts that stand in them, and what the simulators and the product said to each other in a demo
//! (the folder of the captured messages is the argument). One file for each message, named by its content.
//!
//! For WS-Security a key is made, signs one message and is forgotten: its certificate and what it signed stand beside.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool of the developers, which stops at the first problem"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proto_ews::autodiscover::{self, GetUserSettings, GetUserSettingsResponse, UserOutcome, UserSettings};
use proto_ews::pox::{self, PoxResponse, PoxSettings};
use simulator_kit::{Authority, Wanted};

#[path = "../../proto/ews/tests/wire/strategies.rs"]
#[allow(dead_code)]
mod strategies;
#[path = "../../proto/ews/tests/wire/strategies_discovery.rs"]
mod strategies_discovery;
#[path = "../../proto/ews/tests/wire/strategies_items.rs"]
#[allow(dead_code)]
mod strategies_items;

/// Larger ones teach a fuzzer nothing.
const BYTES_MAX: usize = 6 * 1024;
/// Of each strategy, and of each service's captured messages.
const EACH: usize = 40;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let captured = std::env::args_os().nth(1).map(PathBuf::from).expect("the folder of captured messages");
    let seeds = Seeds { folder: root.join("fuzz/seeds") };
    let exchange = captured_in(&captured.join("exchange"));
    let planner = captured_in(&captured.join("planner"));

    seeds.write("soap", literals(&root, &["proto/soap/src"], is_markup));
    seeds.write("ews", ews_messages());
    seeds.write("ews", several(exchange.iter().filter(|text| !contains(text, b"Autodiscover")).cloned()));
    seeds.write("ews", literals(&root, &["proto/ews/tests", "connectors/exchange/src"], is_markup));
    seeds.write("stream", streams());
    seeds.write("planner", several(planner.into_iter()));
    seeds.write("planner", literals(&root, &["proto/planner/src", "connectors/planner/src"], is_markup));
    let discovery = exchange.into_iter().filter(|text| contains(text, b"Autodiscover"));
    let discovery: Vec<_> = several(discovery);
    for target in ["autodiscover", "pox"] {
        seeds.write(target, discovery.clone());
        seeds.write(target, literals(&root, &["connectors/exchange/src/locate"], is_markup));
    }
    seeds.write("autodiscover", autodiscover_messages());
    seeds.write("pox", pox_messages());
    seeds.write("ntlm", ntlm_messages(&root));
    seeds.write("wsse", signed(&root));
    seeds.write("wsse", literals(&root, &["proto/wsse/src"], is_markup));
}

struct Seeds {
    folder: PathBuf,
}

impl Seeds {
    fn write(&self, target: &str, messages: impl IntoIterator<Item = Vec<u8>>) {
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder).unwrap();
        let mut count = 0;
        for message in messages {
            if !message.is_empty() && message.len() <= BYTES_MAX {
                fs::write(folder.join(format!("{:016x}", name(&message))), &message).unwrap();
                count += 1;
            }
        }
        println!("{target}: {count}");
    }
}

/// FNV-1a: the same on every machine.
fn name(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn captured_in(folder: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Those that differ in the elements that they hold, some of them.
fn several(messages: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut shapes = BTreeSet::new();
    let fits = messages.filter(|message| message.len() <= BYTES_MAX);
    let new = fits.filter(|message| {
        let names = message.split(|byte| *byte == b'<').map(|tag| {
            let end = tag.iter().position(|byte| b" />\r\n".contains(byte)).unwrap_or(tag.len());
            tag[..end].to_vec()
        });
        shapes.insert(names.collect::<BTreeSet<_>>())
    });
    new.take(EACH).collect()
}

fn made<S: Strategy>(strategy: &S) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..EACH).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn ews_messages() -> Vec<Vec<u8>> {
    let requests = made(&strategies::request_envelope());
    let responses = made(&strategies::response_envelope());
    let requests = requests.iter().map(|request| proto_ews::encode_request(request).unwrap().into_bytes());
    let responses =
        responses.iter().map(|response| proto_ews::encode_response(response).unwrap().into_bytes());
    requests.chain(responses).collect()
}

/// Streams of one to four envelopes, with the size of the pieces before them.
fn streams() -> Vec<Vec<u8>> {
    let envelopes = made(&strategies::stream_envelope());
    let envelopes: Vec<String> =
        envelopes.iter().map(|envelope| proto_ews::encode_response(envelope).unwrap()).collect();
    let streams = envelopes.chunks(3).zip(1_u8..).map(|(envelopes, size)| {
        let mut stream = vec![size.wrapping_mul(37)];
        stream.extend(envelopes.concat().into_bytes());
        stream
    });
    streams.collect()
}

fn autodiscover_messages() -> Vec<Vec<u8>> {
    let ask = GetUserSettings {
        mailboxes: vec!["anna@kommune.test".into(), "bo@kommune.test".into()],
        settings: vec![autodiscover::EXTERNAL_EWS_URL.into(), autodiscover::GROUPING_INFORMATION.into()],
        server_version: Some("Exchange2013".into()),
        to: Some("https://kommune.test/autodiscover/autodiscover.svc".into()),
    };
    let found = |outcome| UserSettings {
        outcome,
        settings: vec![(
            autodiscover::EXTERNAL_EWS_URL.into(),
            "https://mail.kommune.test/EWS/Exchange.asmx".into(),
        )],
        ..UserSettings::default()
    };
    let answer = GetUserSettingsResponse {
        users: vec![
            found(UserOutcome::Found),
            found(UserOutcome::RedirectAddress("anna@kommune.example".into())),
            found(UserOutcome::Failed("InvalidUser".into())),
        ],
        error_code: "NoError".into(),
        error_message: String::new(),
    };
    let fault = proto_soap::Fault {
        code: proto_soap::FaultCode {
            namespace: Some(autodiscover::AUTODISCOVER_NS.into()),
            local: "ErrorServerBusy".into(),
        },
        string: "busy".into(),
        lang: Some("en".into()),
        actor: None,
        detail: Vec::new(),
    };
    let made_requests = made(&strategies_discovery::discovery_request());
    let made_responses = made(&strategies_discovery::discovery_response());
    let requests = [ask].into_iter().chain(made_requests);
    let responses = [Ok(answer), Err(fault)].into_iter().chain(made_responses.into_iter().map(Ok));
    let requests = requests.map(|request| autodiscover::encode_request(&request).unwrap());
    let responses = responses.map(|response| autodiscover::encode_response(&response).unwrap());
    requests.chain(responses).map(String::into_bytes).collect()
}

fn pox_messages() -> Vec<Vec<u8>> {
    let settings = PoxSettings {
        external_ews_url: Some("https://mail.kommune.test/EWS/Exchange.asmx".into()),
        internal_ews_url: None,
        grouping_information: Some("DB1".into()),
    };
    let mut answers = vec![
        PoxResponse::Settings(settings),
        PoxResponse::RedirectAddress("anna@kommune.example".into()),
        PoxResponse::RedirectUrl("https://kommune.example/autodiscover/autodiscover.xml".into()),
        PoxResponse::Failed { code: "500".into(), message: "The e-mail address cannot be found.".into() },
    ];
    answers.extend(made(&strategies_discovery::pox_response()));
    let address = "anna@kommune.test";
    let answers = answers.iter().map(|answer| pox::encode_response(address, answer).unwrap().into_bytes());
    answers.chain([pox::encode_request(address).unwrap().into_bytes()]).collect()
}

/// The figures of the specification that stand in the tests, bare and as a header's value.
fn ntlm_messages(root: &Path) -> Vec<Vec<u8>> {
    let figures = literals(root, &["proto/ntlm/src"], |text| text.starts_with(b"4e544c4d"));
    let bare = figures.iter().map(|text| {
        let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_hexdigit).collect();
        hex::decode(digits).unwrap()
    });
    let mut all: Vec<Vec<u8>> = bare.collect();
    all.push(b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2".to_vec());
    let headers: Vec<_> = all.iter().map(|message| proto_ntlm::header::value(message).into_bytes()).collect();
    all.extend(headers);
    all.push(b"Negotiate, NTLM, Basic realm=\"x\"".to_vec());
    let authority = Authority::new("exchange.test").unwrap();
    all.push(authority.root_der().to_vec());
    all
}

/// One signed message, and rearrangements of it.
fn signed(root: &Path) -> Vec<Vec<u8>> {
    let authority = Authority::new("signer.test").unwrap();
    let issued = authority.issue(&Wanted::client("signer.test", "CVR:12345678-FID:1")).unwrap();
    let certificate = issued.certificate_der().unwrap();
    let signer = proto_wsse::Signer::new(&certificate, &issued.key_der().unwrap()).unwrap();
    let message = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"{}\" xmlns:e=\"urn:test\"><s:Header><e:Caller>nobody\
         </e:Caller></s:Header><s:Body><e:Answer><e:Text>Gr\u{f8}d &amp; &lt;2&gt;</e:Text><e:Empty/></e:Answer></s:Body></s:Envelope>",
        proto_soap::SOAP_NS
    );
    let now = "2026-06-01T10:00:00Z".parse().unwrap();
    let signed = signer.sign(&message, now, uuid::Uuid::from_u128(7)).unwrap();
    let verifier =
        proto_wsse::Verifier::new(&[&certificate], jiff::SignedDuration::from_mins(2), 1 << 16).unwrap();
    let verified = verifier.verify(signed.as_bytes(), now, None).unwrap();
    fs::write(root.join("fuzz/signer.der"), &certificate).unwrap();
    fs::write(root.join("fuzz/signed-envelope.xml"), &verified.envelope).unwrap();

    let (before, rest) = signed.split_once("<s:Body").unwrap();
    let (body, after) = rest.split_once("</s:Body>").unwrap();
    let body = format!("<s:Body{body}</s:Body>");
    let other = "<s:Body><e:Answer><e:Text>forged</e:Text></e:Answer></s:Body>";
    let moved = before.replace("<e:Caller>", &format!("<e:Caller>{body}"));
    [
        signed.clone(),
        message,
        format!("{before}{body}{other}{after}"),
        format!("{before}{other}{body}{after}"),
        format!("{moved}{other}{after}"),
        signed.replace("<e:Empty/>", "<e:Empty></e:Empty>"),
        signed.replace("nobody", "somebody"),
        signed.replace("<e:Empty/>", "<!-- a comment --><e:Empty/>"),
        signed.replace("Gr\u{f8}d", "Gr&#248;d"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn is_markup(text: &[u8]) -> bool {
    text.len() > 8 && text.starts_with(b"<") && text.ends_with(b">")
}

/// The texts in quotes in the tests below these folders, as the compiler reads them, that are of this kind.
fn literals(root: &Path, folders: &[&str], wanted: fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut found = BTreeSet::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.to_str().is_some_and(|path| path.ends_with(".rs") && path.contains("test")) {
            found.extend(quoted(&fs::read_to_string(&path).unwrap()).into_iter().filter(|text| wanted(text)));
        }
    }
    found.into_iter().collect()
}

/// All texts in quotes of a Rust source.
fn quoted(source: &str) -> Vec<Vec<u8>> {
    let (mut texts, mut rest) = (Vec::new(), source);
    while let Some(start) = rest.find('"') {
        let hashes = rest[..start].len() - rest[..start].trim_end_matches('#').len();
        let raw = rest[..start - hashes].ends_with('r');
        rest = &rest[start + 1..];
        let end = if raw { format!("\"{}", "#".repeat(hashes)) } else { "\"".to_owned() };
        if raw {
            let Some((text, after)) = rest.split_once(&end) else { break };
            texts.push(text.as_bytes().to_vec());
            rest = after;
        } else {
            let (text, after) = unescaped(rest);
            texts.push(text);
            rest = after;
        }
    }
    texts
}

/// A text with escapes up to its closing quote, and what follows that.
fn unescaped(source: &str) -> (Vec<u8>, &str) {
    let (mut text, mut letters) = (String::new(), source.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text.into_bytes(), &source[at + 1..]),
            '\\' => match letters.next().map(|(_, escape)| escape) {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('0') => text.push('\0'),
                // a line that goes on: its white space is none
                Some('\n') => {
                    let rest = letters.as_str().trim_start();
                    letters = source[source.len() - rest.len()..].char_indices();
                    let (more, after) = unescaped(letters.as_str());
                    text.push_str(&String::from_utf8_lossy(&more));
                    return (text.into_bytes(), after);
                }
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    (text.into_bytes(), "")
}
