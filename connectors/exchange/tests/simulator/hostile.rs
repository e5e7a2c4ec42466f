//! Goal: a server that means harm harms nobody, by whichever way it is reached: for a call with either login, by
//! Autodiscover, as a token service. Method: servers that do one wrong each and tell what the client did about it.

use std::time::Duration;

use base::SystemClock;
use calendar::SourceError;
use calendar::ids::{AccountId, SubscriptionId};
use calendar::source::{Affinity, CalendarSource, Mailbox, SourceErrorKind as K};
use connector_exchange::{Authentication, Exchange, ExchangeOptions, OAuth};
use simulator_kit::hostile::{HEAD_BYTES_MAX, Hostile, SSL_3_0, TLS_1_0, TLS_1_1, Wrong};

use crate::world::World;

/// How the server is come to.
#[derive(Debug, Clone, Copy)]
enum Way {
    Basic,
    Ntlm,
    Stream,
    Autodiscover,
    TokenService,
}

const WAYS: [Way; 5] = [Way::Basic, Way::Ntlm, Way::Stream, Way::Autodiscover, Way::TokenService];

/// Goes there and gives the error that it must end in.
async fn go(way: Way, scheme: &str, server: &Hostile) -> SourceError {
    trust::install_provider();
    let address = |path: &str| format!("{scheme}://{}{path}", server.address());
    let mut endpoint = address("/EWS/Exchange.asmx");
    let mut options = ExchangeOptions::new("svc", "pw".to_owned().into());
    options.request_timeout = Duration::from_secs(60);
    match way {
        Way::Basic | Way::Stream => {}
        Way::Ntlm => options.authentication = Authentication::Ntlm,
        Way::Autodiscover => {
            options.autodiscover_url = Some(address("/autodiscover/autodiscover.svc").parse().unwrap());
        }
        Way::TokenService => {
            // nobody is there: without a token nothing is asked of it
            endpoint = "http://127.0.0.1:9/EWS/Exchange.asmx".to_owned();
            let oauth = OAuth {
                token_url: address("/token").parse().unwrap(),
                scope: "https://x/.default".to_owned(),
            };
            options.authentication = Authentication::OAuth(oauth);
        }
    }
    if !matches!(way, Way::Autodiscover) {
        options.service_url = Some(endpoint.parse().unwrap());
    }
    let exchange = Exchange::new(options, SystemClock::shared()).unwrap();
    let mailbox = Mailbox { address: World::mail(1), endpoint: endpoint.clone(), account: None };
    match way {
        Way::Autodiscover => exchange.locate(&[World::mail(1)]).await.remove(0).map(drop).unwrap_err(),
        Way::Stream => {
            let affinity =
                Affinity { endpoint, account: AccountId::DEFAULT, anchor: World::mail(1), cookie: None };
            exchange.listen(&affinity, &[SubscriptionId::new("id")]).await.map(drop).unwrap_err()
        }
        _ => exchange.check(&mailbox).await.map(drop).unwrap_err(),
    }
}

/// It is told so by the alert `protocol_version`, and neither a request nor a password has left.
#[tokio::test]
async fn a_server_that_speaks_an_old_tls_is_refused_and_gets_nothing() {
    for version in [TLS_1_1, TLS_1_0, SSL_3_0] {
        for way in WAYS {
            let mut server = Hostile::start(Wrong::OldTls(version)).await.unwrap();
            let error = go(way, "https", &server).await;
            assert_eq!(error.kind, K::Unavailable, "{way:?}: {error:?}");
            let mut met = server.met().await;
            met.offered.sort_unstable();
            assert_eq!(
                (met.offered.as_slice(), met.alert()),
                (&[[3, 3], [3, 4]][..], Some(70)),
                "{way:?} {version:?}"
            );
        }
    }
}

/// An answer's head is as bounded as its body.
#[tokio::test]
async fn a_head_without_end_is_not_read_to_its_end() {
    for wrong in [Wrong::HeadersWithoutNumber, Wrong::HeaderWithoutEnd] {
        for way in WAYS {
            let mut server = Hostile::start(wrong).await.unwrap();
            let error = go(way, "http", &server).await;
            assert_eq!(error.kind, K::Unavailable, "{way:?}: {error:?}");
            assert_ne!(error.code, "timeout", "{way:?}: read until the time was over");
            let taken = server.met().await.taken;
            assert!(taken < HEAD_BYTES_MAX / 2, "{way:?} {wrong:?}: {taken} bytes");
        }
    }
}
