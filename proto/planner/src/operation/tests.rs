//! The names of the operations: each derived name leads back to its operation, and to no other.

use super::Operation;

#[test]
fn every_action_names_its_operation_with_and_without_quotes() {
    for operation in Operation::ALL {
        let action = operation.soap_action();
        assert!(action.ends_with(&format!("#{operation}")), "{action}");
        assert_eq!(Operation::from_soap_action(action), Some(operation));
        assert_eq!(Operation::from_soap_action(&format!(" \"{action}\" ")), Some(operation));
        assert_eq!(Operation::from_name(operation.name()), Some(operation));
        assert_eq!(operation.request_element(), format!("{operation}Request"));
        assert_eq!(operation.response_element(), format!("{operation}Response"));
    }
}

#[test]
fn other_texts_name_no_operation() {
    for text in ["", "\"\"", "CreateEvents", "http://service.bm.dk/other#CreateEvents"] {
        assert_eq!(Operation::from_soap_action(text), None, "{text}");
    }
    assert_eq!(Operation::from_name("createevents"), None);
}

#[test]
fn only_the_three_changes_are_answered_by_receipts() {
    let changes: Vec<_> = Operation::ALL.into_iter().filter(|operation| operation.is_change()).collect();
    assert_eq!(changes, [Operation::CreateEvents, Operation::UpdateEvents, Operation::DeleteEvents]);
}
