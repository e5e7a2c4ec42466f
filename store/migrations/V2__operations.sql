-- What operators asked for (B8 - B11), and resource lists that would have dropped too many at once (B10).
-- Expand only.

-- Who asked for what. How far it is, is derived from what the stages write, never booked here.
create table operation (
    id        bigint generated always as identity primary key,
    kind      text not null,                      -- full_pull, comparison, adoption, resource_list
    mail      text,                               -- null = all mailboxes
    asked_by  text not null,
    asked_at  timestamptz not null default clock_timestamp(),
    error     text                                -- why it could not even be asked for
);
create index operation_asked_at on operation (asked_at);

-- A refresh of the resource list whose drops were withheld because they were too many.
create table withheld_list (
    id             bigint generated always as identity primary key,
    withheld_at    timestamptz not null,
    in_use_before  bigint not null,
    state          text not null default 'withheld',   -- withheld, confirmed, rejected, cancelled
    settled_at     timestamptz,
    settled_by     text,                               -- an operator, or what cancelled it
    check ((state = 'withheld') = (settled_at is null))
);
-- at most one waits for an operator
create unique index withheld_list_open on withheld_list (state) where state = 'withheld';

create table withheld_list_resource (
    withheld_list_id  bigint not null references withheld_list (id) on delete cascade,
    mail              text not null,
    reappeared_at     timestamptz,                      -- listed again: neither dropped nor kept by this run
    primary key (withheld_list_id, mail)
);
