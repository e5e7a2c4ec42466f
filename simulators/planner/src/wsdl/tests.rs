//! The description: whole, well-formed, and about every operation. That an independent client can use it
//! is what `tests/peers/planner_zeep.py` shows.

use proto_planner::Operation;

use super::description;

#[test]
fn every_operation_is_described_and_nothing_is_left_open() {
    let text = description("http://127.0.0.1:1/x?a=1&b=2");
    for operation in Operation::ALL {
        assert!(text.contains(&format!("soapAction=\"{}\"", operation.soap_action())), "{operation}");
        assert!(
            text.contains(&format!("<x:element name=\"{}\"", operation.request_element())),
            "{operation}"
        );
        assert!(
            text.contains(&format!("<x:element name=\"{}\"", operation.response_element())),
            "{operation}"
        );
    }
    assert!(text.contains("location=\"http://127.0.0.1:1/x?a=1&amp;b=2\""));
    for open in ["OPERATION-", "ADDRESS-"] {
        assert!(!text.contains(open), "{open} was left in the text");
    }
}
