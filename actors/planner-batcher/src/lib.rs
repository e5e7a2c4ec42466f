//! Decisions become batches under the SLA; one short-lived actor per batch in flight.
#![forbid(unsafe_code)]
