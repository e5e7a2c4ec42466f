-- Two indexes that cost at each decision and at each full read, and that nothing needs.

-- What waits is found by calendar_event_pending; the oldest of it is looked for by `status` alone, which counts all of it anyway.
drop index calendar_event_oldest;
-- Mailboxes that were never read were claimed by this index until V25. As long as it names last_full_sync, noting a full read
-- writes an entry into each index of the table.
drop index planner_resource_never_read;
