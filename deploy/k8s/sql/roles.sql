-- The roles and the database, once, as an administrator of the server: one role owns the schema and migrates, the other
-- one runs the service and can neither change the schema nor empty a table. Passwords come from the environment:
--   OWNER_PASSWORD=… RUNTIME_PASSWORD=… psql -v ON_ERROR_STOP=1 -f roles.sql
\getenv owner_password OWNER_PASSWORD
\getenv runtime_password RUNTIME_PASSWORD
create role kommuneklient_owner login password :'owner_password';
create role kommuneklient_runtime login password :'runtime_password';
create database kommuneklient owner kommuneklient_owner;
revoke all on database kommuneklient from public;
grant connect on database kommuneklient to kommuneklient_runtime;
\connect kommuneklient
revoke create on schema public from public;
grant usage, create on schema public to kommuneklient_owner;
