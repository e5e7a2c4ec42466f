-- Deletions that were inferred from absence and withheld by the mass-delete guard (B8). Expand only.

-- One run: a full read of a mailbox, or its comparison with Planner, whose inferred deletions were too many.
create table withheld_run (
    id             bigint generated always as identity primary key,
    mail           text not null,
    source         text not null,                      -- full_read, comparison
    reading_began  timestamptz not null,               -- when the reading began that found the keys missing
    withheld_at    timestamptz not null,
    keys           integer not null,                   -- how many it withheld …
    there          integer not null,                   -- … of how many that were there
    state          text not null default 'withheld',   -- withheld, confirmed, rejected, cancelled, replaced
    settled_at     timestamptz,
    settled_by     text,                               -- an operator, or what settled it
    deleted        integer,                            -- how many deletions a confirmation decided
    check ((state = 'withheld') = (settled_at is null))
);
-- a newer run takes the place of the one that waits
create unique index withheld_run_open on withheld_run (mail, source) where state = 'withheld';

-- Its keys. A row stands for as long as the key has the version that it was withheld at (0 = no decision); any
-- decision about the key since makes it void.
create table withheld_key (
    mail       text not null,
    origin_id  text not null,
    run        bigint not null references withheld_run (id) on delete cascade,
    version    bigint not null,
    start_at   timestamptz not null,
    end_at     timestamptz not null,
    rejected   boolean not null default false,         -- stays until it is explicitly deleted or its time passes
    primary key (mail, origin_id)
);
create index withheld_key_run on withheld_key (run);

-- Planner holds a key whose latest decision is "absent", and the deletion is withheld: nothing is sent for it.
alter table calendar_event add column delete_withheld boolean not null default false;

-- The same column as before, with one condition more. (A generated column cannot be changed in place before
-- PostgreSQL 17; in one transaction nobody sees it missing.)
alter table calendar_event drop column pending;
alter table calendar_event add column pending boolean not null generated always as (
        version > 0
        and not planner_own
        and refused_version is distinct from version
        and set_aside_version is distinct from version
        and (uncertain
             or (wanted and (not ack_there or ack_start is distinct from start_at or ack_end is distinct from end_at))
             or (not wanted and ack_there))
        and not (delete_withheld and not wanted)
    ) stored;
create index calendar_event_pending on calendar_event (bulk, mail, decided_at) where pending;
create index calendar_event_retry on calendar_event (next_attempt_at) where pending and next_attempt_at is not null;
create index calendar_event_oldest on calendar_event (decided_at) where pending;
