-- Which service account a group at work uses (house: Ownership). A slot belongs to the lease of its group: it is held
-- for as long as that lease is, under the token with which it was taken, and needs no handing back of its own. It
-- outlives the row of a group that was dissolved while its owner still listens. Expand only: groups of the version
-- before take none.
create table account_slot (
    lease_key  text primary key references lease (key) on delete cascade,
    token      bigint not null,                                 -- of the lease, when the slot was taken
    account    bigint not null,                                 -- service_user_credential.id; 0 = that of the configuration
    taken_at   timestamptz not null default clock_timestamp()
);
create index account_slot_account on account_slot (account);
