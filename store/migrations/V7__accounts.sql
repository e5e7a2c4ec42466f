-- A back-off that Exchange asked for holds for every request on the same service account, whichever instance makes
-- it, also after a restart (B12). Account 0 is the one of the configuration, else service_user_credential.id; a
-- row of an account that was removed does no harm, since numbers are never used again.
create table account_back_off (
    account     bigint primary key,
    until       timestamptz not null,     -- by the database's clock
    failures    integer not null,         -- busy answers, or refused logons, in a row
    reason      text not null,            -- 'busy' or 'refused'
    changed_at  timestamptz not null default now()
);
create index subscription_account on subscription (service_user_credential_id);
