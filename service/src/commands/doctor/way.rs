//! What the way to a service says, beside what is known of calls. Pure.
//!
//! The doctor runs in the environment of whoever asks, which may name another proxy than that of the service, or none: a
//! way that is closed from here says little where calls work.

use super::host::Way;
use super::{Said, Step, Verdict, plain, ready, said};
use crate::texts::{Text, doctor as t};

/// The step of the way to a service, where calls to it are known to work (`Some(true)`), are not known to (`Some(false)`:
/// what fails is judged apart), or nothing of them is known at all (`None`).
pub(super) fn judged(title: Text, way: Way, works: Option<bool>) -> Step {
    // the proxy was tried then, and the service may have another one, or none
    let of_proxy = matches!(way, Way::ProxyClosed { .. });
    let step = reached(title, way);
    match (works, step.verdict) {
        // that somebody accepts connections is not yet that calls work
        (None, Verdict::Ok) => Step::open(step.title, ready::both(step.evidence, plain(t::CALLS_UNKNOWN))),
        (Some(true), Verdict::Fail) if of_proxy => {
            let evidence = ready::both(step.evidence, plain(t::CALLS_WORK_OTHERWISE));
            Step::new(step.title, Verdict::Warn, evidence, plain(t::CALLS_WORK_OTHERWISE_NEXT))
        }
        (Some(true), Verdict::Fail) => {
            let evidence = ready::both(step.evidence, plain(t::CALLS_WORK));
            Step::new(step.title, Verdict::Warn, evidence, plain(t::CALLS_WORK_NEXT))
        }
        _ => step,
    }
}

/// Can a service be reached from here?
fn reached(title: Text, way: Way) -> Step {
    let failed = |evidence: Said, next: Said| Step::new(title, Verdict::Fail, evidence, next);
    match way {
        Way::NoAddress => Step::open(title, plain(t::NO_ADDRESS)),
        Way::NotTried => Step::open(title, plain(t::NOT_TRIED)),
        Way::Open(address) => Step::ok(title, said(t::REACHED, [("address", address)])),
        Way::Closed { address, why } => {
            let port = address.rsplit(':').next().unwrap_or_default().to_owned();
            failed(
                said(t::NOT_REACHED, [("address", address), ("why", why)]),
                said(t::REACH_NEXT, [("port", port)]),
            )
        }
        Way::ProxyOpen { address, proxy } => {
            Step::ok(title, said(t::REACHED_PROXY, [("address", address), ("proxy", proxy)]))
        }
        Way::ProxyClosed { address, proxy, why } => {
            let next = said(t::REACH_PROXY_NEXT, [("proxy", proxy.clone())]);
            failed(said(t::NOT_REACHED_PROXY, [("address", address), ("proxy", proxy), ("why", why)]), next)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn the_port_that_must_be_open_is_that_of_the_address() {
        let way = Way::Closed { address: "::1:8443".to_owned(), why: "refused".to_owned() };
        let next = judged(t::PLANNER, way, Some(false)).next.unwrap();
        for language in [Language::En, Language::Da] {
            assert!(next.words(language).contains("port 8443 "), "{}", next.words(language));
        }
    }

    /// Regression: behind a proxy that all must use both steps failed for ever, although every call worked; and a way that
    /// is open was all well where nothing was known of calls.
    #[test]
    fn what_is_known_of_calls_counts_more_than_the_way_from_here() {
        use Verdict::{Fail, Ok, Open, Warn};
        let (there, proxy) = (|| "there:443".to_owned(), || "proxy:3128".to_owned());
        let refused = || "refused".to_owned();
        let open = || Way::Open(there());
        let closed = || Way::Closed { address: there(), why: refused() };
        let proxy_open = || Way::ProxyOpen { address: there(), proxy: proxy() };
        let proxy_closed = || Way::ProxyClosed { address: there(), proxy: proxy(), why: refused() };
        for (way, unknown, fails, works) in [
            (open(), Open, Ok, Ok),
            (proxy_open(), Open, Ok, Ok),
            (closed(), Fail, Fail, Warn),
            (proxy_closed(), Fail, Fail, Warn),
            (Way::NotTried, Open, Open, Open),
            (Way::NoAddress, Open, Open, Open),
        ] {
            let verdict = |works| judged(t::PLANNER, way.clone(), works).verdict;
            assert_eq!(
                (verdict(None), verdict(Some(false)), verdict(Some(true))),
                (unknown, fails, works),
                "{way:?}"
            );
        }
        let told = |way: Way, works| judged(t::PLANNER, way, works).evidence.words(Language::En);
        assert!(told(open(), None).ends_with("accepts connections; whether calls work is not known"));
        assert!(told(closed(), Some(true)).starts_with("there:443: refused; directly not"));
        assert!(told(proxy_closed(), Some(true)).ends_with("; calls of the service work, on another way"));
        let way = judged(t::PLANNER, proxy_closed(), Some(false));
        for language in [Language::En, Language::Da] {
            let (evidence, next) = (way.evidence.words(language), way.next.as_ref().unwrap().words(language));
            assert!(evidence.contains("proxy:3128") && evidence.contains("there:443"), "{evidence}");
            assert!(next.contains("HTTPS_PROXY") && next.contains("NO_PROXY"), "{next}");
        }
        assert!(told(proxy_open(), Some(false)).contains("through the proxy proxy:3128"));
    }
}
