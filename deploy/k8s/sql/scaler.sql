-- The role of the autoscaler, after the first migration, as the owner of the schema or an administrator. It may count
-- affinity groups and read nothing: neither a mail address nor an endpoint. Its password: alter role kommuneklient_scaler
-- password '…'.
do $$
begin
    create role kommuneklient_scaler login connection limit 5;
exception when duplicate_object or unique_violation then
    null; -- made before
end $$;
alter role kommuneklient_scaler set statement_timeout = '10s';
alter role kommuneklient_scaler set default_transaction_read_only = on;
do $$
begin
    execute format('grant connect on database %I to kommuneklient_scaler', current_database());
end $$;
grant usage on schema public to kommuneklient_scaler;
grant select (id) on subscription to kommuneklient_scaler;
