use super::*;

#[test]
fn an_address_belongs_to_the_service_at_its_host_and_port() {
    for (text, service, is_address) in [
        ("https://mail.example.dk/EWS/Exchange.asmx", "https://mail.example.dk", true),
        ("https://MAIL.example.dk:443/other", "https://mail.example.dk", true),
        ("http://127.0.0.1:8080/EWS/Exchange.asmx", "http://127.0.0.1:8080", true),
        ("mailto:somebody@example.dk", "mailto:somebody@example.dk", false),
        ("ftp://mail.example.dk/", "ftp://mail.example.dk/", false),
        ("no address", "no address", false),
        ("", "", false),
    ] {
        let endpoint = Endpoint::parse(text);
        assert_eq!(endpoint.service, service, "{text}");
        match endpoint.url("GetItem") {
            Ok(_) => assert!(is_address, "{text}"),
            Err(error) => {
                assert!(!is_address, "{text}");
                assert_eq!((error.kind, &*error.code), (SourceErrorKind::Rediscover, "no connection"));
            }
        }
    }
}

#[test]
fn each_is_parsed_once_and_few_are_kept() {
    let endpoints = Endpoints::default();
    let first = endpoints.of("https://mail.example.dk/");
    assert!(Arc::ptr_eq(&first, &endpoints.of("https://mail.example.dk/")));
    for n in 0..2 * KEPT_MAX {
        assert_eq!(
            endpoints.of(&format!("https://m{n}.example.dk/")).service,
            format!("https://m{n}.example.dk")
        );
    }
    assert!(endpoints.0.lock().unwrap().len() <= KEPT_MAX);
    assert_eq!(*endpoints.of("https://mail.example.dk/"), *first, "parsed anew");
}
