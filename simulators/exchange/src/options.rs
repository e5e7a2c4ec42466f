//! How the simulator is to be.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base::{SharedClock, SystemClock};
use simulator_kit::{FaultRule, Tls};

use crate::faults::Fault;
use crate::logon::Logins;

/// How the simulator is to be. The default is one for tests: a free port on loopback, no mailboxes, one
/// account, the limits of Exchange.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// How many mailboxes `m0001@domain`, `m0002@domain` … there are at the start.
    pub mailboxes: u32,
    /// The domain of mailboxes and of the simulated servers.
    pub domain: String,
    /// The first account; further ones are this name with 2, 3 … behind it.
    pub user: String,
    /// The password of all accounts.
    pub password: String,
    /// How many accounts there are.
    pub accounts: u32,
    /// A folder of `.ics` files, one a mailbox: the file's name is the address, or its local part.
    pub calendars: Option<PathBuf>,
    /// How many grouping values Autodiscover tells; mailboxes are dealt out in turn.
    pub groups: u16,
    /// A folder for the messages, one envelope a file. Autodiscover's are left out.
    pub capture: Option<PathBuf>,
    /// The zone of mailboxes: of all-day appointments in files that name none.
    pub zone: String,
    /// Accounts may impersonate every mailbox.
    pub impersonation: bool,
    /// Accounts have folder rights on every mailbox.
    pub folder_rights: bool,
    /// Open streams that an account may have.
    pub streams_per_account: usize,
    /// Subscriptions that a mailbox may have.
    pub subscriptions_per_mailbox: usize,
    /// The pause between heartbeats of a stream.
    pub heartbeat: Duration,
    /// How long one minute of `ConnectionTimeout` is: shorter in tests of the planned end.
    pub stream_minute: Duration,
    /// Views (FindItem) leave `RecurrenceId` out, as some servers do; GetItem tells it.
    pub sparse_views: bool,
    /// Faults at the start.
    pub faults: Vec<FaultRule<Fault>>,
    /// Decides all chance, so that a run can be repeated.
    pub seed: u64,
    /// How many threads answer requests.
    pub workers: usize,
    /// End on SIGINT and SIGTERM? For a process of its own, not for a test.
    pub ends_by_signal: bool,
    /// TLS; plain HTTP without it.
    pub tls: Option<Tls>,
    /// Which logins it takes.
    pub logins: Logins,
    /// How long a token holds that it gives.
    pub token_life: Duration,
    /// Tells the time.
    pub clock: SharedClock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            mailboxes: 0,
            domain: "sim.test".into(),
            user: "svc".into(),
            password: "pw".into(),
            accounts: 1,
            calendars: None,
            groups: 1,
            capture: None,
            zone: "Europe/Copenhagen".into(),
            impersonation: true,
            folder_rights: true,
            streams_per_account: 3,
            subscriptions_per_mailbox: 5_000,
            heartbeat: Duration::from_secs(45),
            stream_minute: Duration::from_secs(60),
            sparse_views: false,
            faults: Vec::new(),
            seed: 1,
            workers: 2,
            ends_by_signal: false,
            tls: None,
            logins: Logins::BASIC,
            token_life: Duration::from_secs(3_600),
            clock: SystemClock::shared(),
        }
    }
}

impl Options {
    /// The address of mailbox number `number`, from 1.
    pub fn mailbox(&self, number: u32) -> String {
        format!("m{number:04}@{}", self.domain)
    }

    /// The accounts' names.
    pub fn account_names(&self) -> Vec<String> {
        let further = (2..=self.accounts).map(|number| format!("{}{number}", self.user));
        std::iter::once(self.user.clone()).chain(further).collect()
    }

    /// The grouping value that Autodiscover tells for a group.
    pub fn grouping(&self, group: u16) -> String {
        format!("Site-{}", group + 1)
    }
}
