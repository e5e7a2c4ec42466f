-- Decisions that were overruled: explain tells all of them in order. A row is the decision as calendar_event had it, written by
-- the statement that puts another in its place; times and states, never what an appointment is about (B6). The version before
-- writes none. Expand only. No key on (mail, origin_id, version): versions begin anew with an appointment that had been removed.
create table decision_history (
    id             bigint generated always as identity primary key,
    mail           text not null,
    origin_id      text not null,
    version        bigint not null,
    wanted         boolean not null,        -- Planner was to hold it
    start_at       timestamptz,             -- as calendar_event: of the latest wanted decision
    end_at         timestamptz,
    decided_at     timestamptz not null,
    reading_began  timestamptz,             -- of the reading behind it
    bulk           boolean not null,        -- by a pull or comparison, not by a live change
    overruled_at   timestamptz not null default clock_timestamp()
);
create index decision_history_key on decision_history (mail, origin_id, id);
create index decision_history_overruled on decision_history (overruled_at);

-- The stream of an affinity group as its owner saw it last; written when it changes. It tells of now while the token is that
-- of the group's lease: what a former owner wrote tells nothing. Expand only: the version before writes none.
create table group_stream (
    subscription_id  bigint primary key references subscription (id) on delete cascade,
    token            bigint not null,       -- of the group's lease, when it was written
    open             boolean not null,
    since            timestamptz not null,  -- open, or not open, since then
    happening        text not null,         -- the last that happened: begun, opened, closed, not_served, away, failed, silent, withdrawn
    code             text,                  -- why, where it has a code
    happened_at      timestamptz not null
);
