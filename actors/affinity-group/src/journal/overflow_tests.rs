//! Goal: notifications that find no room are told (9004). Method: a journal whose batches nobody takes.

use super::*;

#[test]
fn a_batch_that_finds_no_room_is_told() {
    let options = telemetry::Options::events_alone(codes::REGISTRY);
    let (_telemetry, dispatch, mut events) = telemetry::Telemetry::build(options).unwrap();
    let (batches, _nobody) = mpsc::channel(1);
    let journal = Journal::for_test(batches);
    tracing::dispatcher::with_default(&dispatch, || {
        journal.offer(Batch::default());
        assert!(events.try_recv().is_none(), "there is room for one");
        journal.offer(Batch::default());
    });
    let told = events.try_recv().expect("an event");
    assert_eq!(told.code, codes::NOTIFICATIONS_OVERFLOW.id);
}
