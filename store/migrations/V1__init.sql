-- The first schema. Later changes go by expand / contract, so that two versions can run side by side.
-- Names follow the original product's tables in snake_case.

-- Generic: who owns what. A take-over adds one to the token; writes under a lease take FOR KEY SHARE on
-- its row with their token, so that a heartbeat (which changes no key column) passes and a take-over waits.
create table lease (
    key         text primary key,
    owner       text not null,
    token       bigint not null check (token > 0),
    expires_at  timestamptz not null
);

-- Generic: small facts of the installation, such as the settings that the last full pull was made with.
create table store_state (
    name        text primary key,
    value       text not null,
    changed_at  timestamptz not null default now()
);

-- Every event with a code (B13).
create table application_log (
    id          bigint generated always as identity primary key,
    at          timestamptz not null,
    event_id    integer not null,
    severity    text not null,
    source      text not null,
    message     text not null,
    fields      jsonb not null default '{}',
    trace_id    text,
    instance    text not null
);
create index application_log_at on application_log (at);

-- Resources: the case workers and rooms that Planner knows (B10), with their state as mailboxes (B12).
create table planner_resource (
    mail                 text primary key,
    bucket               smallint not null,                 -- which qualifier shard (B1)
    name                 text not null,
    rid                  text not null,
    planner_resource_id  uuid,
    description          text,
    working_hours        jsonb not null default '[]',
    is_case_worker       boolean not null,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    deleted_date         timestamptz,                        -- not in use since
    deleted_reason       text,                               -- P-NotInPlanner, P-NonWhitelist, or an operator's words
    endpoint             text,                               -- where it was located
    grouping_value       text,
    located_at           timestamptz,
    error_code           text,                               -- why it cannot be listened to (B12)
    error_description    text,
    error_date           timestamptz,
    error_count          integer not null default 0,
    retry_at             timestamptz,
    last_success         timestamptz,                        -- last time it began to be listened to
    adopted_at           timestamptz,                        -- acknowledged state taken over from Planner (B9); null = before anything is sent
    adopt_due_at         timestamptz,                        -- adopt (again) at this time: at once when new, later after an unknown outcome
    full_read_began_at   timestamptz,                        -- when the reading of the last complete full read began
    last_full_sync       timestamptz                         -- when the last complete full read ended (B8)
);
create index planner_resource_adopt_due on planner_resource (adopt_due_at) where adopt_due_at is not null;

create table planner_resource_blacklist (
    mail      text primary key,
    reason    text not null,
    added_by  text not null,
    added_at  timestamptz not null default now()
);
create table planner_resource_whitelist (
    mail      text primary key,
    added_by  text not null,
    added_at  timestamptz not null default now()
);

-- Service accounts towards Exchange (B12). Passwords are stored sealed or not at all.
create table service_user_credential (
    id               bigint generated always as identity primary key,
    user_name        text not null unique,
    sealed_password  bytea,
    key_id           text,
    created_at       timestamptz not null default now()
);

-- An affinity group: the original's Subscription (B12).
create table subscription (
    id                          bigint generated always as identity primary key,
    endpoint                    text not null,
    grouping_value              text not null,
    ordinal                     integer not null,
    service_user_credential_id  bigint references service_user_credential (id),   -- null = the default account
    created_at                  timestamptz not null default now(),
    unique (endpoint, grouping_value, ordinal)
);
create table planner_resource_subscription (
    mail                 text primary key references planner_resource (mail) on delete cascade,
    subscription_id      bigint not null references subscription (id),
    ews_subscription_id  text,
    subscribed_at        timestamptz
);
create index planner_resource_subscription_group on planner_resource_subscription (subscription_id);

-- How far a calendar's changes have been read (B7).
create table sync_state (
    mail       text primary key,
    state      text not null,
    asked_at   timestamptz not null,      -- when the last page of the catch-up that ended in it was asked for
    saved_at   timestamptz not null
);

-- Notifications: hints that something changed, stored before they count as received (B7).
create sequence notification_claim;
create table notification (
    id                  bigint generated always as identity primary key,
    mail                text not null,
    bucket              smallint not null,
    event_type          text not null,        -- CreatedEvent …, SyncChange, SyncDelete, FullRead
    item_id             text,                 -- null for FullRead
    old_item_id         text,
    exchange_timestamp  timestamptz,
    received_at         timestamptz not null,
    trace_context       text,
    claim               bigint,               -- the incarnation of the shard that has it in hand
    attempts            integer not null default 0,
    next_attempt_at     timestamptz,          -- null = at once
    last_error          text,
    set_aside_at        timestamptz           -- kept failing by itself (B7)
);
-- hints and full reads apart, so that a backlog of the one is not walked through for the other
create index notification_live on notification (bucket, id) where set_aside_at is null and event_type <> 'FullRead';
create index notification_bulk on notification (bucket, id) where set_aside_at is null and event_type = 'FullRead';
create index notification_mail on notification (mail);

create table notification_log (
    id                  bigint primary key,
    mail                text not null,
    event_type          text not null,
    item_id             text,
    old_item_id         text,
    exchange_timestamp  timestamptz,
    received_at         timestamptz not null,
    handled_at          timestamptz not null,
    attempts            integer not null,
    outcome             text not null,
    text                text,
    trace_context       text
);
create index notification_log_mail on notification_log (mail, handled_at);

-- The master item of a series, so that the deletion of a master finds its occurrences (B5).
create table series (
    mail      text not null,
    uid       text not null,
    item_id   text not null,
    primary key (mail, uid)
);
create index series_item on series (mail, item_id);

-- One row a key (B2): what was decided, and what Planner has said that it holds.
create table calendar_event (
    mail                         text not null,
    origin_id                    text not null,
    -- identity, never parsed out of the origin id
    uid                          text,
    recurrence_time              timestamptz,
    item_id                      text,
    item_known_since             timestamptz,     -- when the present item id was learnt
    -- the decision (B4); version 0 = none yet, the key is known by adoption alone
    version                      bigint not null default 0,
    wanted                       boolean,
    start_at                     timestamptz,     -- of the latest wanted decision; kept when absent
    end_at                       timestamptz,
    decided_at                   timestamptz,
    reading_began                timestamptz,     -- when the reading behind the decision began
    bulk                         boolean not null default false,   -- decided by a pull or comparison, not by a live change
    decision_trace               text,
    -- the acknowledgement
    ack_there                    boolean not null default false,
    ack_start                    timestamptz,     -- null although there: a receipt 8 told that Planner has it, not when
    ack_end                      timestamptz,
    ack_version                  bigint,
    ack_at                       timestamptz,
    uncertain                    boolean not null default false,   -- outcome of the last call unknown
    converted_to_update_version  bigint,          -- one conversion each way per decision
    converted_to_create_version  bigint,
    planner_own                  boolean not null default false,   -- receipt 13: never sent again
    refused_version              bigint,
    refused_code                 integer,
    set_aside_version            bigint,
    set_aside_reason             text,
    attempts                     integer not null default 0,       -- receipts in a row that said "not now"
    unanswered                   integer not null default 0,       -- calls in a row that brought no receipt for it: spaces the resends
    next_attempt_at              timestamptz,     -- null = at once
    calendar_event_identifier    uuid,
    planner_resource_identifier  uuid,
    pending                      boolean not null generated always as (
        version > 0
        and not planner_own
        and refused_version is distinct from version
        and set_aside_version is distinct from version
        and (uncertain
             or (wanted and (not ack_there or ack_start is distinct from start_at or ack_end is distinct from end_at))
             or (not wanted and ack_there))
    ) stored,
    primary key (mail, origin_id),
    check (version = 0 or wanted is not null),
    check (wanted is not true or (start_at is not null and end_at is not null and end_at > start_at))
);
-- the walk over mailboxes with something to send, live changes and bulk work apart
create index calendar_event_pending on calendar_event (bulk, mail, decided_at) where pending;
create index calendar_event_retry on calendar_event (next_attempt_at) where pending and next_attempt_at is not null;
create index calendar_event_oldest on calendar_event (decided_at) where pending;
create index calendar_event_uid on calendar_event (mail, uid);
create index calendar_event_item on calendar_event (mail, item_id);

-- Each call to Planner; also the persisted permit of the SLA budget: it counts until 60 s after the
-- answer, or after the deadline when there was none (B9).
create table service_call_reference_log (
    call_id                             uuid primary key,      -- our correlation id
    operation                           text not null,         -- CreateEvents …, GetEvents, GetResources
    mail                                text,                  -- null for calls about many
    items                               integer not null,
    bulk                                boolean not null default false,
    started_at                          timestamptz not null,
    deadline                            timestamptz not null,
    ended_at                            timestamptz,
    success                             boolean,
    event_id                            integer,               -- 6901 … when it failed
    text                                text,
    service_call_response_reference_id  uuid                   -- Planner's own id of the call
);
create index service_call_reference_log_permit on service_call_reference_log (coalesce(ended_at, deadline));

-- Keys in flight, recorded before the request leaves; the primary key is the promise that no key is ever in
-- two calls (B9).
create table key_in_flight (
    mail        text not null,
    origin_id   text not null,
    call_id     uuid not null references service_call_reference_log (call_id),
    position    integer not null,
    operation   "char" not null,
    version     bigint not null,
    start_at    timestamptz not null,
    end_at      timestamptz not null,
    deadline    timestamptz not null,
    primary key (mail, origin_id)
);
create index key_in_flight_call on key_in_flight (call_id);

-- Each item's answer with its code.
create table sync_log (
    id            bigint generated always as identity primary key,
    call_id       uuid not null,
    mail          text not null,
    origin_id     text not null,
    operation     "char" not null,
    version       bigint not null,
    start_at      timestamptz not null,
    end_at        timestamptz not null,
    receipt_code  integer,               -- null: no receipt came
    outcome       text not null,         -- acknowledged, converted, refused, transient, unknown
    text          text,
    at            timestamptz not null
);
create index sync_log_key on sync_log (mail, origin_id, id);
create index sync_log_at on sync_log (at);
