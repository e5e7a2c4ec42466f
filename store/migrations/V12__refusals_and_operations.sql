-- Services that refuse an account's name or password (B12): a matter of that service, so that the account goes on
-- everywhere else. An older version writes a refusal to account_back_off, where it holds for the whole account.
create table account_refusal (
    account     bigint not null,
    service     text not null,            -- scheme, host and port
    until       timestamptz not null,     -- by the database's clock
    failures    integer not null,         -- refused logons in a row
    changed_at  timestamptz not null default now(),
    primary key (account, service)
);

-- For which mailboxes an operation was asked. Who is in use changes while it runs; who was meant does not. Empty for
-- operations of an older version.
create table operation_mailbox (
    operation_id  bigint not null references operation (id) on delete cascade,
    mail          text not null,
    primary key (operation_id, mail)
);
alter table operation add column meant bigint;   -- how many mailboxes; null = an older version asked

-- Mailboxes that were never read in full are read before all others.
create index planner_resource_never_read on planner_resource (mail)
    where last_full_sync is null and deleted_date is null;
