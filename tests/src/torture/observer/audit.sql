-- The audit of a torture run: from inside each transaction that writes something protected, which lease it holds. It
-- judges nothing and fails nothing: whatever goes wrong in here is noted and the product's write goes on.
drop schema if exists torture cascade;
create schema torture;

create table torture.lease_history (
    id     bigint generated always as identity primary key,
    at     timestamptz not null default clock_timestamp(),
    key    text not null,
    owner  text not null,
    token  bigint not null
);
create table torture.written (
    id           bigint generated always as identity primary key,
    at           timestamptz not null default clock_timestamp(),
    what         text not null,
    writer       text not null,
    key          text,             -- of the lease that the transaction holds; null = none
    owner        text,
    token        bigint,
    named_token  bigint
);
create table torture.early (
    id       bigint generated always as identity primary key,
    at       timestamptz not null default clock_timestamp(),
    call_id  text not null,
    until    timestamptz not null
);
create table torture.freed (
    id       bigint generated always as identity primary key,
    at       timestamptz not null default clock_timestamp(),
    call_id  text not null,
    until    timestamptz not null,
    writer   text not null
);
create table torture.trouble (
    id    bigint generated always as identity primary key,
    at    timestamptz not null default clock_timestamp(),
    text  text not null
);

create function torture.lease_changed() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into torture.lease_history (key, owner, token) values (new.key, new.owner, new.token);
    elsif old.owner is distinct from new.owner or old.token is distinct from new.token then
        insert into torture.lease_history (key, owner, token) values (new.key, new.owner, new.token);
    end if;
    return null;
end $$;

-- Is this transaction among those that have locked a row with this xmax? It is the transaction itself, or a
-- multixact that lists it; a number that is no multixact is an error, which means no.
create function torture.is_mine(locker bigint) returns boolean language plpgsql as $$
declare
    me bigint := pg_current_xact_id()::text::bigint & 4294967295;
begin
    if locker = 0 then return false; end if;
    if locker = me then return true; end if;
    return exists (select from pg_get_multixact_members(locker::text::xid) m where m.xid::text::bigint = me);
exception when others then
    return false;
end $$;

-- One row for each lease that the transaction holds, or one without; once a transaction and kind of write.
create function torture.note(about text, named text, its_token bigint) returns void language plpgsql as $$
declare
    who text := current_setting('application_name');
    mark text := '|' || pg_current_xact_id()::text || ':' || about || coalesce(':' || its_token, '') || '|';
    seen text := coalesce(current_setting('torture.seen', true), '');
    noted bigint;
begin
    if who not like 'kommuneklient/%' or position(mark in seen) > 0 then return; end if;
    perform set_config('torture.seen', right(seen || mark, 500), true);
    insert into torture.written (what, writer, key, owner, token, named_token)
        select about, who, l.key, l.owner, l.token, its_token
        from public.lease l
        where torture.is_mine(l.xmax::text::bigint) and (named is null or l.key = named);
    get diagnostics noted = row_count;
    if noted = 0 then
        insert into torture.written (what, writer, named_token) values (about, who, its_token);
    end if;
end $$;

create function torture.audit() returns trigger language plpgsql as $$
begin
    perform torture.note(tg_argv[0], null, null);
    return null;
exception when others then
    insert into torture.trouble (text) values (tg_argv[0] || ': ' || sqlerrm);
    return null;
end $$;

create function torture.audit_call() returns trigger language plpgsql as $$
begin
    perform torture.note('call', new.lease_key, new.lease_token);
    return null;
exception when others then
    insert into torture.trouble (text) values ('call: ' || sqlerrm);
    return null;
end $$;

-- A call that was closed before its deadline although nobody recorded an answer: its end lies in the future.
create function torture.call_closed() returns trigger language plpgsql as $$
begin
    insert into torture.early (call_id, until) values (new.call_id::text, new.deadline);
    return null;
exception when others then
    insert into torture.trouble (text) values ('end of a call: ' || sqlerrm);
    return null;
end $$;

-- A key that is free again before the deadline of its call. Whether the call had ended is judged by Planner's log of calls.
create function torture.key_freed() returns trigger language plpgsql as $$
begin
    insert into torture.freed (call_id, until, writer)
        values (old.call_id::text, old.deadline, current_setting('application_name'));
    return null;
exception when others then
    insert into torture.trouble (text) values ('end of a key in flight: ' || sqlerrm);
    return null;
end $$;

create trigger torture_key_freed after delete on public.key_in_flight
    for each row when (old.deadline > clock_timestamp())
    execute function torture.key_freed();
create trigger torture_call_closed after update on public.service_call_reference_log
    for each row when (old.ended_at is null and new.ended_at > clock_timestamp())
    execute function torture.call_closed();
create trigger torture_lease after insert or update on public.lease
    for each row execute function torture.lease_changed();
create trigger torture_sync_state after insert or update or delete on public.sync_state
    for each row execute function torture.audit('sync state');
create trigger torture_group after insert or delete on public.subscription
    for each row execute function torture.audit('group');
create trigger torture_member after insert or update or delete on public.planner_resource_subscription
    for each row execute function torture.audit('member of a group');
create trigger torture_decision_new after insert on public.calendar_event
    for each row when (new.version > 0) execute function torture.audit('decision');
create trigger torture_decision after update on public.calendar_event
    for each row when (old.version is distinct from new.version) execute function torture.audit('decision');
create trigger torture_acknowledgement after update on public.calendar_event
    for each row when ((old.ack_there, old.ack_start, old.ack_end, old.uncertain)
                       is distinct from (new.ack_there, new.ack_start, new.ack_end, new.uncertain))
    execute function torture.audit('acknowledgement');
create trigger torture_key_in_flight after insert or delete on public.key_in_flight
    for each row execute function torture.audit('key in flight');
create trigger torture_call after insert on public.service_call_reference_log
    for each row execute function torture.audit_call();
create trigger torture_claim after update on public.notification
    for each row when (old.claim is distinct from new.claim) execute function torture.audit('claim');
create trigger torture_notification after delete on public.notification
    for each row execute function torture.audit('end of a notification');
create trigger torture_resource_new after insert on public.planner_resource
    for each row execute function torture.audit('resource');
create trigger torture_resource after update on public.planner_resource
    for each row when ((old.deleted_date, old.adopted_at, old.full_read_began_at)
                       is distinct from (new.deleted_date, new.adopted_at, new.full_read_began_at))
    execute function torture.audit('resource');

insert into torture.lease_history (key, owner, token) select key, owner, token from public.lease;
