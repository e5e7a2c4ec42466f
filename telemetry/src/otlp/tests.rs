//! Goal: an operator's address goes to the protocol that listens there, and a wrong one is refused with
//! what to write instead. The exporters themselves are tested against receivers in `tests/otlp.rs`.

use super::*;

#[test]
fn the_address_says_the_protocol() {
    let grpc = |text: &str| Endpoint::Grpc(text.to_owned());
    let http = |text: &str| Endpoint::Http(text.to_owned());
    for (given, expected) in [
        ("http://127.0.0.1:4317", grpc("http://127.0.0.1:4317")),
        ("http://jaeger:4317/", grpc("http://jaeger:4317")),
        ("https://jaeger.example:4317", grpc("https://jaeger.example:4317")),
        ("grpc://127.0.0.1:55000", grpc("http://127.0.0.1:55000")),
        ("grpcs://jaeger.example", grpc("https://jaeger.example:4317")),
        ("http://[::1]:4317", grpc("http://[::1]:4317")),
        ("http://127.0.0.1:4318", http("http://127.0.0.1:4318/v1/traces")),
        ("http://127.0.0.1:4318/v1/traces", http("http://127.0.0.1:4318/v1/traces")),
        ("http://127.0.0.1:4317/v1/traces", http("http://127.0.0.1:4317/v1/traces")),
        ("http://127.0.0.1:40123", http("http://127.0.0.1:40123/v1/traces")),
        ("https://collector.example/otlp/", http("https://collector.example/otlp/v1/traces")),
    ] {
        assert_eq!(endpoint(given).unwrap(), expected, "{given}");
    }
}

#[test]
fn a_wrong_address_is_refused_with_what_to_write() {
    for given in ["", "jaeger:4317", "127.0.0.1:4317", "ftp://jaeger:4317", "unix:///run/otlp", "http://"] {
        let error = endpoint(given).unwrap_err();
        assert!(error.to_string().contains("http://127.0.0.1:4317"), "{given}: {error}");
        assert_eq!(error.disposition(), base::Disposition::Escalate);
    }
    assert!(endpoint("http://user:secret@jaeger:4318").is_err());
}
