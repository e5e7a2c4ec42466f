-- Sending complete (B9): who makes a call, and since when a key is not sent any more. Expand only: an older
-- version leaves the new columns empty, which means what it meant before.

-- The lease under which a call is made. Its owner ends the call before the lease can be taken over, so the call
-- of an owner that is gone holds no slot; empty: the call holds its slot until its deadline.
alter table service_call_reference_log
    add column lease_key   text,
    add column lease_token bigint;

-- Receipts in a row that said "not now": spaces the resends. (attempts counts only what the key failed by itself.)
alter table calendar_event add column put_off integer not null default 0;

-- Whether others succeed, or are put off too, tells an appointment that fails from an outage.
create index sync_log_acknowledged on sync_log (at) where outcome = 'acknowledged';
create index sync_log_transient on sync_log (at) where outcome = 'transient';

-- Since when a key is refused or set aside; empty for those of before this version.
alter table calendar_event add column stopped_at timestamptz;

-- The list of what is not sent any more.
create index calendar_event_stopped on calendar_event (mail, origin_id)
    where version > 0 and (set_aside_version = version or refused_version = version);
