-- Comparison back (B11). Expand only: the version before runs beside it.

-- When a mailbox is to be compared with what Planner holds: by the schedule, because an operator asked, or some
-- time after a call of unknown outcome. Who wants a comparison sets compare_due_at; the version before asked with
-- adopt_due_at, which on a mailbox that is adopted already means the same.
alter table planner_resource add column compare_due_at timestamptz;
-- When the call of the last complete comparison began, by the database's clock.
alter table planner_resource add column compared_at timestamptz;
-- Whether everything in the window was readable and stored at the last full read; null = not known (the version before
-- read it), which counts as not whole. Cleared together with full_read_began_at.
alter table planner_resource add column full_read_whole boolean;
create index planner_resource_compare_due on planner_resource (compare_due_at) where compare_due_at is not null;

-- When the decision was stored, by the database's clock: decided_at is the clock of the process that decided, and a
-- comparison must tell for certain whether a decision is younger than its call. A trigger, so that it holds whichever
-- version stores the decision.
alter table calendar_event add column decision_stored_at timestamptz;
create function calendar_event_decision_stored() returns trigger language plpgsql as $$
begin
    new.decision_stored_at := clock_timestamp();
    return new;
end
$$;
create trigger calendar_event_decision_stored before insert or update of version on calendar_event
    for each row when (new.version > 0) execute function calendar_event_decision_stored();

-- Whether a mailbox is to be compared once more after a comparison: the last unknown outcomes of its calls.
create index sync_log_unknown on sync_log (mail, at) where outcome = 'unknown';
