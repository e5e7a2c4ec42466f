//! What all requests share: the mailboxes, the hub of subscriptions and streams, faults, the meter.
//!
//! One lock guards mailboxes and hub, held for moments: series are expanded, and answers written,
//! outside it. An action on an item and the queueing of its events happen under the same lock, so no
//! event can come before its change can be read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use proto_ews::{Fault as SoapFault, Problem, ResponseCode};
use serde::Serialize;
use simulator_kit::Capture;

use crate::SimulatorError;
use crate::affinity::BackEnd;
use crate::event::Event;
use crate::faults::{Act, Fault, Faults, Lost};
use crate::hub::{Delivery, Hub};
use crate::ids::{FolderKind, ItemKey, MailboxKey};
use crate::logon::Logons;
use crate::mailbox::{Access, Mailbox};
use crate::ops;
use crate::options::Options;
use crate::zone::Zone;

/// Everything that changes.
#[derive(Debug, Default)]
pub struct World {
    /// The mailboxes by key.
    pub mailboxes: HashMap<MailboxKey, Mailbox>,
    /// Subscriptions and streams.
    pub hub: Hub,
    busy: Option<(Timestamp, u64)>,
    meter: Meter,
}

/// Counters since the start.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Meter {
    /// EWS and Autodiscover requests by operation.
    pub requests: BTreeMap<String, u64>,
    /// Answers that were SOAP faults, by code.
    pub faults: BTreeMap<String, u64>,
    /// Faults and acts that were met on purpose, by name.
    pub injected: BTreeMap<String, u64>,
    /// Events queued in subscriptions' mailboxes (before any loss).
    pub events: u64,
    /// Actions on items.
    pub actions: u64,
    /// Streams opened.
    pub streams_opened: u64,
}

/// What all requests share.
#[derive(Debug)]
pub struct Service {
    /// The options it was started with.
    pub options: Options,
    /// The zone of mailboxes.
    pub zone: Arc<Zone>,
    /// The accounts' names; their index is the account.
    pub accounts: Vec<String>,
    /// Faults that wait.
    pub faults: Faults,
    /// Who logged on, and how.
    pub logons: Logons,
    /// Where messages are written to.
    pub capture: Option<Capture>,
    world: Mutex<World>,
}

/// Who calls, after authentication and impersonation.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account.
    pub account: usize,
    /// The mailbox that it acts for, with impersonation.
    pub acting: Option<MailboxKey>,
    /// The back end that answers.
    pub back_end: BackEnd,
    /// The zone that the request names for all its times (`TimeZoneContext`).
    pub zone: Option<Arc<Zone>>,
    /// When the request came, in whole seconds.
    pub now: Timestamp,
}

impl Service {
    /// A server without mailboxes beyond those of the options' count.
    ///
    /// # Errors
    /// [`SimulatorError`] for options that can never work.
    pub fn new(options: Options, capture: Option<Capture>) -> Result<Self, SimulatorError> {
        let no_zone = || SimulatorError::Zone { name: options.zone.clone() };
        let zone = Zone::find(&options.zone).ok_or_else(no_zone)?;
        if options.accounts == 0 || options.groups == 0 {
            return Err(SimulatorError::Options { reason: "there is at least one account and one group" });
        }
        if options.heartbeat.is_zero() || options.stream_minute.is_zero() {
            return Err(SimulatorError::Options { reason: "heartbeats and minutes are longer than nothing" });
        }
        let faults = Faults::new(options.seed);
        faults.add(options.faults.clone())?;
        let accounts = options.account_names();
        let logons = Logons::new(&options);
        let service = Self { zone, accounts, faults, logons, capture, world: Mutex::default(), options };
        for number in 1..=service.options.mailboxes {
            service.add_mailbox(&service.options.mailbox(number), None)?;
        }
        Ok(service)
    }

    /// The world, for a moment.
    pub fn world(&self) -> MutexGuard<'_, World> {
        // A panic in a handler leaves the world as it was between two statements; serving on is better
        // for a stand-in than failing every later request.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, in whole seconds, as Exchange tells times.
    pub fn now(&self) -> Timestamp {
        let now = self.options.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Adds an empty mailbox; one that is there stays as it is.
    ///
    /// # Errors
    /// [`SimulatorError::NoGroup`].
    pub fn add_mailbox(&self, address: &str, group: Option<u16>) -> Result<MailboxKey, SimulatorError> {
        let now = self.now();
        let mut world = self.world();
        let groups = self.options.groups;
        let group = match group {
            Some(group) => self.group_index(group)?,
            None => u16::try_from(world.mailboxes.len() % usize::from(groups)).unwrap_or(0),
        };
        let key = MailboxKey::of(address);
        world.mailboxes.entry(key).or_insert_with(|| Mailbox::new(address, group, now));
        Ok(key)
    }

    /// Removes a mailbox with its subscriptions.
    ///
    /// # Errors
    /// [`SimulatorError::NoMailbox`].
    pub fn remove_mailbox(&self, address: &str) -> Result<(), SimulatorError> {
        let mut world = self.world();
        let key = MailboxKey::of(address);
        world.mailboxes.remove(&key).ok_or_else(|| SimulatorError::NoMailbox { address: address.into() })?;
        world.hub.end_all_of(key, &ResponseCode::SUBSCRIPTION_NOT_FOUND);
        Ok(())
    }

    /// Has a mailbox moved to a host of its own, which is not the one that was asked (`name:port`)?
    pub fn is_elsewhere(&self, address: &str, asked: &str) -> bool {
        let name = asked.rsplit_once(':').map_or(asked, |(name, _)| name);
        let world = self.world();
        let host = world.mailboxes.get(&MailboxKey::of(address)).and_then(|mailbox| mailbox.host.as_deref());
        host.is_some_and(|own| !own.eq_ignore_ascii_case(name))
    }

    fn group_index(&self, number: u16) -> Result<u16, SimulatorError> {
        let groups = self.options.groups;
        let group = number.checked_sub(1).filter(|group| *group < groups);
        group.ok_or(SimulatorError::NoGroup { group: number, groups })
    }

    /// The fault that a call meets: server busy for a while comes first.
    pub fn draw(&self, operation: &str, mailboxes: &[&str]) -> Option<Fault> {
        let now = self.options.clock.now();
        let busy = self.world().busy.filter(|(until, _)| now < *until);
        let fault = match busy {
            Some((_, back_off_ms)) => Some(Fault::ServerBusy { back_off_ms: Some(back_off_ms) }),
            None => self.faults.of_answer(operation, mailboxes),
        };
        if let Some(fault) = &fault {
            self.world().count_injected(fault.name());
        }
        fault
    }

    /// Does what happens at once. [`Act::Down`] is not for here: the server's owner does it.
    ///
    /// # Errors
    /// [`SimulatorError::NoMailbox`] and [`SimulatorError::NoGroup`].
    pub fn act(&self, act: &Act) -> Result<u32, SimulatorError> {
        let now = self.options.clock.now();
        let mut world = self.world();
        let name = act_name(act);
        let done = match act {
            Act::DropStreams { count, mailbox } => {
                world.hub.disturb(*count, mailbox.as_deref().map(MailboxKey::of), false)
            }
            Act::SilenceStreams { count } => world.hub.disturb(*count, None, true),
            Act::ExpireSubscriptions { mailbox, count } => {
                let ids = world.hub.ids(mailbox.as_deref().map(MailboxKey::of));
                let most = count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
                let mut done = 0;
                for id in ids.iter().take(most) {
                    done += u32::from(world.hub.end(id, ResponseCode::EXPIRED_SUBSCRIPTION));
                }
                done
            }
            Act::Busy { for_ms, back_off_ms } => {
                let duration = SignedDuration::from_millis(i64::try_from(*for_ms).unwrap_or(i64::MAX));
                world.busy = Some((now.saturating_add(duration).unwrap_or(now), *back_off_ms));
                1
            }
            Act::Down { .. } => 0,
            Act::Access { mailbox, access } => {
                world.mailbox_mut(mailbox)?.access = *access;
                if *access == Access::Missing {
                    world.hub.end_all_of(MailboxKey::of(mailbox), &ResponseCode::SUBSCRIPTION_NOT_FOUND);
                }
                1
            }
            Act::Discovery { mailbox, answer } => {
                world.mailbox_mut(mailbox)?.discovery = answer.clone();
                1
            }
            Act::Corrupt { mailbox, item, corrupt } => {
                let key = ItemKey::parse(item).map_err(|_| SimulatorError::NoItem { item: item.clone() })?;
                world.mailbox_mut(mailbox)?.set_corrupt(key, *corrupt);
                1
            }
            Act::Distort { mailbox, item, start, end, zone } => {
                let no_item = || SimulatorError::NoItem { item: item.clone() };
                let key = ItemKey::parse(item).map_err(|_| no_item())?;
                let changed = world.mailbox_mut(mailbox)?.update(key, now, |appointment| {
                    appointment.details.start = *start;
                    appointment.details.end = *end;
                    if let Some(name) = zone {
                        let zone = appointment.details.start_zone.by_another_name(name);
                        appointment.details.end_zone = Arc::clone(&zone);
                        appointment.details.start_zone = zone;
                    }
                    Ok::<_, std::convert::Infallible>(())
                });
                let Some(Ok(events)) = changed else { return Err(no_item()) };
                world.publish(&self.faults, key.mailbox, &events, None, now);
                1
            }
            Act::ForgetSyncStates { mailbox } => {
                world.mailbox_mut(mailbox)?.forget_sync_states(now);
                1
            }
            Act::MoveMailbox { mailbox, group, host } => {
                let group = self.group_index(*group)?;
                let moved = world.mailbox_mut(mailbox)?;
                moved.group = group;
                moved.host = host.clone();
                world.hub.end_all_of(MailboxKey::of(mailbox), &ResponseCode::SUBSCRIPTION_NOT_FOUND);
                1
            }
        };
        world.count_injected(name);
        Ok(done)
    }

    /// The mailbox of a request's target, when the caller may act on it.
    pub fn permitted(&self, world: &World, caller: &Caller, key: MailboxKey) -> Result<(), Problem> {
        let mailbox = world.mailboxes.get(&key).filter(|mailbox| mailbox.access != Access::Missing);
        let Some(mailbox) = mailbox else {
            return Err(Problem::new(
                ResponseCode::NON_EXISTENT_MAILBOX,
                "The SMTP address has no mailbox associated with it.",
            ));
        };
        let own = match caller.acting {
            Some(acting) => acting == key,
            None => self.options.folder_rights,
        };
        let shared = caller.acting.is_some();
        match mailbox.access {
            Access::AccessDenied => Err(ops::denied()),
            Access::Unshared if !shared => Err(ops::no_folder()),
            _ if !own => Err(ops::denied()),
            _ => Ok(()),
        }
    }
}

fn act_name(act: &Act) -> &'static str {
    match act {
        Act::DropStreams { .. } => "drop_streams",
        Act::SilenceStreams { .. } => "silence_streams",
        Act::ExpireSubscriptions { .. } => "expire_subscriptions",
        Act::Busy { .. } => "busy",
        Act::Down { .. } => "down",
        Act::Access { .. } => "access",
        Act::Discovery { .. } => "discovery",
        Act::Corrupt { .. } => "corrupt",
        Act::Distort { .. } => "distort",
        Act::ForgetSyncStates { .. } => "forget_sync_states",
        Act::MoveMailbox { .. } => "move_mailbox",
    }
}

impl World {
    /// The meter.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The mailbox of an address.
    ///
    /// # Errors
    /// [`SimulatorError::NoMailbox`].
    pub fn mailbox_mut(&mut self, address: &str) -> Result<&mut Mailbox, SimulatorError> {
        let found = self.mailboxes.get_mut(&MailboxKey::of(address));
        found.ok_or_else(|| SimulatorError::NoMailbox { address: address.into() })
    }

    /// Counts a request.
    pub fn count_request(&mut self, operation: &str) {
        count(&mut self.meter.requests, operation);
    }

    /// Counts an answer that is a fault.
    pub fn count_fault(&mut self, fault: &SoapFault) {
        // Codes can be injected: bounded by what an operator types.
        count(&mut self.meter.faults, fault.code.as_str());
    }

    /// Counts something that was done on purpose.
    pub fn count_injected(&mut self, name: &str) {
        count(&mut self.meter.injected, name);
    }

    /// Counts a stream.
    pub fn count_stream(&mut self) {
        self.meter.streams_opened += 1;
    }

    /// Gives an action's events to the subscriptions of its mailbox, through the faults.
    pub fn publish(
        &mut self,
        faults: &Faults,
        mailbox: MailboxKey,
        events: &[Event],
        moved_from: Option<FolderKind>,
        now: Timestamp,
    ) {
        self.meter.actions += 1;
        self.meter.events += events.len() as u64;
        let address = self.mailboxes.get(&mailbox).map(Mailbox::address).unwrap_or_default();
        let fault = faults.of_notification(address);
        if let Some(fault) = &fault {
            count(&mut self.meter.injected, fault.name());
        }
        let delivery = match fault {
            Some(Fault::Lose { what: Lost::Items }) => Delivery::WithoutItems,
            Some(Fault::Lose { what: Lost::All }) => Delivery::Lost,
            Some(Fault::Lose { what: Lost::AllAndTold }) => Delivery::LostAndTold,
            Some(Fault::Duplicate) => Delivery::Twice,
            Some(Fault::Expire) => {
                self.hub.end_all_of(mailbox, &ResponseCode::EXPIRED_SUBSCRIPTION);
                Delivery::Normal
            }
            _ => Delivery::Normal,
        };
        self.hub.publish(mailbox, events, moved_from, delivery, now);
    }
}

/// The most names that a counter keeps apart.
const NAMES_MAX: usize = 200;

fn count(counters: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(counter) = counters.get_mut(name) {
        *counter += 1;
    } else if counters.len() < NAMES_MAX {
        counters.insert(name.to_owned(), 1);
    }
}
