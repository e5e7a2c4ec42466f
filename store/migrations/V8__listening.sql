-- Listening (B12). A mailbox whose place is in doubt (its server said that it is served elsewhere, or it shares a
-- group with one of which that was said) is located anew; its stored place holds until a new one is known.
alter table planner_resource add column location_doubted_at timestamptz;
