-- A claim of hints looks at those that nobody has claimed, the oldest of each bucket, and after a failure at those that are
-- claimed: each has an index of its own, so that neither is walked through for the other. The old index is dropped first:
-- that takes the strongest lock, so that no lock is raised while others wait for it. The table is short (what waits), and so
-- is the building. The version before goes on without its index, by the primary key.
drop index notification_live;
create index notification_new on notification (bucket, id)
    where claim is null and set_aside_at is null and event_type <> 'FullRead';
create index notification_claimed on notification (bucket, id)
    where claim is not null and set_aside_at is null and event_type <> 'FullRead';
