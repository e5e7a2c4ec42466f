//! Fault rules: which call meets which, how rules end, and which rules are refused with a reason.

use serde::{Deserialize, Serialize};

use super::{FaultKind, FaultPlan};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Broken,
    Slow { seconds: u32 },
}

impl FaultKind for Kind {
    fn check(&self, operation: Option<&str>) -> Result<(), String> {
        match (self, operation) {
            (Self::Slow { .. }, Some("Read")) => Err("reading cannot be slow".to_owned()),
            _ => Ok(()),
        }
    }
}

fn plan(rules: &str) -> FaultPlan<Kind> {
    let plan = FaultPlan::new(&["Read", "Write"], 42);
    plan.add_json(rules.as_bytes()).unwrap();
    plan
}

#[test]
fn the_next_calls_that_fit_meet_the_fault_and_no_others() {
    let plan = plan(r#"{"kind": "broken", "operation": "Write", "mailbox": "A@x", "next": 2}"#);
    assert_eq!(plan.draw("Read", &["a@x"]), None);
    assert_eq!(plan.draw("Write", &["b@x"]), None);
    assert_eq!(plan.draw("Write", &[]), None);
    assert_eq!(plan.draw("Write", &["b@x", "a@x"]), Some(Kind::Broken));
    assert_eq!(plan.list()[0].rule.next, Some(1));
    assert_eq!(plan.draw("Write", &["a@x"]), Some(Kind::Broken));
    assert_eq!(plan.draw("Write", &["a@x"]), None);
    assert_eq!((plan.list().len(), plan.fired()), (0, 2));
}

#[test]
fn the_first_rule_that_fires_decides_and_what_is_taken_back_stays_counted() {
    let plan =
        plan(r#"[{"kind": {"slow": {"seconds": 3}}, "next": 1}, {"kind": "broken", "probability": 1.0}]"#);
    assert_eq!(plan.draw("Read", &[]), Some(Kind::Slow { seconds: 3 }));
    assert_eq!(plan.draw("Read", &[]), Some(Kind::Broken));
    plan.clear();
    assert_eq!(plan.draw("Read", &[]), None);
    assert_eq!(plan.fired(), 2);
}

#[test]
fn chance_keeps_its_rate_and_repeats_by_its_seed() {
    let rule = r#"{"kind": "broken", "probability": 0.1}"#;
    let draws =
        |plan: FaultPlan<Kind>| (0..10_000).map(|_| plan.draw("Read", &[]).is_some()).collect::<Vec<_>>();
    let (one, two) = (draws(plan(rule)), draws(plan(rule)));
    assert_eq!(one, two);
    let hits = one.iter().filter(|hit| **hit).count();
    assert!((850..1150).contains(&hits), "{hits} of 10000 at one in ten");
}

#[test]
fn impossible_rules_are_refused_with_a_reason_and_none_of_their_list_is_taken() {
    let plan = FaultPlan::<Kind>::new(&["Read", "Write"], 1);
    for (rule, reason) in [
        (r#"{"kind": "broken"}"#, "either probability or next"),
        (r#"{"kind": "broken", "next": 1, "probability": 0.5}"#, "either probability or next"),
        (r#"{"kind": "broken", "next": 0}"#, "at least 1"),
        (r#"{"kind": "broken", "probability": 1.5}"#, "between 0 and 1"),
        (r#"{"kind": "broken", "next": 1, "operation": "Erase"}"#, "there are Read, Write"),
        (r#"{"kind": {"slow": {"seconds": 1}}, "next": 1, "operation": "Read"}"#, "cannot be slow"),
        (r#"{"kind": "broken", "next": 1, "often": true}"#, "unknown field `often`"),
        (r#"{"kind": "bent", "next": 1}"#, "unknown variant `bent`"),
        ("{", "EOF"),
    ] {
        let list = format!(r#"[{{"kind": "broken", "next": 1}}, {rule}]"#);
        for text in [rule, &list] {
            let error = plan.add_json(text.as_bytes()).unwrap_err();
            let chain = format!(
                "{error}: {}",
                std::error::Error::source(&error).map_or(String::new(), ToString::to_string)
            );
            assert!(chain.contains(reason) || text == list && reason == "EOF", "{text}: {chain}");
        }
    }
    assert_eq!(plan.list(), []);
}

#[test]
fn the_number_of_rules_is_bounded() {
    let plan = plan(r#"{"kind": "broken", "next": 1}"#);
    let rules = vec![plan.list()[0].rule.clone(); super::RULES_MAX];
    assert!(plan.add(rules).is_err());
    assert_eq!(plan.list().len(), 1);
}
