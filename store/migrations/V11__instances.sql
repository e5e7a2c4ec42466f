-- Many instances (house: Ownership). Expand only: the version before holds its leases without a row here.

-- Who is alive. A row is renewed together with the leases of its instance and runs out with them; an instance that
-- ends in order deletes its own first, so that the others take over what it hands back.
create table instance (
    name        text primary key,                               -- unique for each start: the owner of its leases
    roles       text[] not null,                                -- the stages that it runs: listen, qualify, communicate
    version     text not null,                                  -- of its program
    started_at  timestamptz not null default clock_timestamp(),
    expires_at  timestamptz not null
);
