-- Every question about keys names their mailbox first, and a mailbox has tens of keys, seldom thousands: walking
-- through them by the primary key costs less than two more indexes cost at each decision (docs/performance.md).
drop index calendar_event_uid;
drop index calendar_event_item;
