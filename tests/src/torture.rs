//! Torture: any fault, in any order, and nothing lost.
//!
//! One *seed* decides everything that chance decides: which changes people make, which faults happen when and to whom.
//! A seed runs real PostgreSQL, both simulators on sockets and several instances of the product as processes, with
//! all product timings scaled down about 1:20 by their configuration. Then the faults end, and within a bound the
//! state must equal the rules' answer; an observer outside of the product watches the promises all along.
//!
//! ```text
//! cli ── run (one seed) ─┬─ schedule     what happens when: a pure function of the seed
//!                        ├─ world        database, simulators, gates, configuration
//!                        ├─ instance     the product as processes: start, kill, pause, resume
//!                        └─ observer     the promises, and the state at the end (oracle, invariants)
//!     └─ results, report                 a line a seed, what was injected, what was found
//! ```

pub mod cli;
pub mod cluster;
pub mod contract;
pub mod error;
pub mod fault;
pub mod fault_log;
pub mod injector;
pub mod instance;
pub mod invariants;
pub mod observer;
pub mod oracle;
pub mod people;
pub mod report;
pub mod results;
pub mod run;
pub mod schedule;
pub mod world;
