//! PostgreSQL: migrations, durable queues, leases with fencing, embedded server.
#![forbid(unsafe_code)]
