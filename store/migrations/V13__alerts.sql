-- Alerts that stand (B13): events that passed their threshold and are not over, one row an instance and code. Each
-- instance keeps its own rows in step with what it counts; rows that it does not confirm any more (it is gone) say
-- nothing after a while. Expand only.
create table standing_alert (
    instance     text not null,
    code         integer not null,
    since        timestamptz not null,
    last_at      timestamptz not null,               -- when its event came last
    occurrences  bigint not null,
    subjects     text[] not null default '{}',       -- mailboxes, groups or accounts that it is about, the first few
    confirmed_at timestamptz not null default now(),
    primary key (instance, code)
);
