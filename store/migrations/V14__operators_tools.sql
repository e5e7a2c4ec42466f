-- Operators' tools. Expand only: the version before runs beside it and leaves the new columns empty.

-- An operator takes back what Planner holds for a mailbox that is not used any more (B10): its deletions are sent
-- although it is not in use. The version before sends nothing for such a mailbox; they wait for this one.
alter table planner_resource
    add column withdrawn_at timestamptz,
    add column withdrawn_by text;

-- Why a mailbox is on the whitelist, where somebody said so.
alter table planner_resource_whitelist add column reason text;

-- What an operation is about where that is no mailbox: the number of a withheld run.
alter table operation add column subject text;

-- Mailboxes whose data was erased: the SHA-256 of the address (UTF-8, as everywhere trimmed and in lower case), so that
-- the next resource list does not bring them back and nobody can read here who they were.
create table erased_mailbox (
    hash       bytea primary key check (length(hash) = 32),
    erased_at  timestamptz not null default clock_timestamp(),
    erased_by  text not null
);
