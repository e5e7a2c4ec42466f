-- Nothing is sent for a mailbox before its first full read, so first reads are claimed before all others. A full read says by
-- itself whether it is one: looking for those of mailboxes that were never read cost a look for each such mailbox, also for those
-- of which none waits. The mark is made when the full read is asked for and only orders the queue. The version before goes on
-- without the mark (its full reads wait their turn) and finds its rows along the new index, too. The table is short (what waits),
-- and so is the building.
drop index notification_bulk;
alter table notification add column first_read boolean not null default false;
update notification n set first_read = true from planner_resource r
where r.mail = n.mail and r.last_full_sync is null and n.event_type = 'FullRead';
create index notification_full_read on notification (bucket, first_read, id)
    where set_aside_at is null and event_type = 'FullRead';
