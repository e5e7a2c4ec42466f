//! Subscriptions and open streams: who hears which events, and what waits for whom.
//!
//! A subscription outlives its connection; events queue up in it while nobody listens. A stream carries
//! subscriptions of one account on one back end. Nothing here waits or writes: [`Hub::publish`] puts
//! events into queues and names the streams to wake, [`Hub::collect`] gives a stream what it is to send.
//!
//! Limits: [`MAX_QUEUE`] events a subscription (then it has *missed* events and says so),
//! [`MAX_EVENTS`] events a notification, [`MAX_IDS`] subscriptions a stream; streams an account and
//! subscriptions a mailbox are options. A subscription that nobody streams for [`IDLE_LIMIT`] ends, at the
//! next event or Subscribe of its mailbox: no timer of its own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proto_ews::{EventKind, ResponseCode};

use crate::affinity::BackEnd;
use crate::event::{Event, events_of_all_folders};
use crate::ids::{FolderKind, MailboxKey, subscription_id};

/// Events that wait in one subscription.
pub const MAX_QUEUE: usize = 10_000;
/// Events in one notification; `MoreEvents` says that others follow.
pub const MAX_EVENTS: usize = 50;
/// Subscription ids in one GetStreamingEvents.
pub const MAX_IDS: usize = 200;
/// A subscription without a stream ends after this.
pub const IDLE_LIMIT: SignedDuration = SignedDuration::from_mins(30);

/// The folders that a subscription listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// All.
    All,
    /// These.
    These(Vec<FolderKind>),
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    /// Its mailbox.
    pub mailbox: MailboxKey,
    /// The account that owns it.
    pub account: usize,
    /// Where it lives.
    pub back_end: BackEnd,
    heard: Heard,
    kinds: Box<[EventKind]>,
    queue: VecDeque<Event>,
    missed: bool,
    stream: Option<u64>,
    idle_since: Timestamp,
    created: Timestamp,
}

impl Subscription {
    /// When it was made.
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// Events that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Is it on an open stream?
    pub fn is_streamed(&self) -> bool {
        self.stream.is_some()
    }
}

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    /// The account that opened it.
    pub account: usize,
    /// Its subscriptions.
    pub ids: Vec<Arc<str>>,
    /// Swallows everything (a fault).
    pub silent: bool,
    /// To be cut without an end (a fault).
    pub cut: bool,
    /// When it was opened.
    pub opened: Timestamp,
    /// Events given to it.
    pub events: u64,
    // Errors to be told: code and subscriptions; all but missed events end the stream.
    problems: Vec<(ResponseCode, Vec<Arc<str>>)>,
    wake: Arc<tokio::sync::Notify>,
}

/// What a stream is to send next.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Nothing at the moment.
    Nothing,
    /// Notifications.
    Events(Vec<Batch>),
    /// An error about these subscriptions; the stream goes on.
    Problem(ResponseCode, Vec<Arc<str>>),
    /// An error about these subscriptions; it is the stream's last message.
    Last(ResponseCode, Vec<Arc<str>>),
    /// Cut the connection.
    Cut,
    /// Swallow everything from now on.
    Silence,
}

/// Events of one subscription, in cause order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The subscription.
    pub id: Arc<str>,
    /// Its mailbox.
    pub mailbox: MailboxKey,
    /// At most [`MAX_EVENTS`].
    pub events: Vec<Event>,
    /// More wait.
    pub more: bool,
}

/// Why a stream cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The account has all the streams that it may have.
    TooManyStreams,
    /// These subscriptions are unknown here, or of another account.
    Subscriptions(Vec<(ResponseCode, Vec<String>)>),
}

/// What becomes of one action's events on their way (a fault, or nothing of the kind).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// As it should be.
    #[default]
    Normal,
    /// Events of items are lost, the folder's own arrives.
    WithoutItems,
    /// Everything is lost, and nobody says so.
    Lost,
    /// Everything is lost, and the stream says `ErrorMissedNotificationEvents`.
    LostAndTold,
    /// Everything comes twice.
    Twice,
}

/// All subscriptions and streams.
#[derive(Debug, Default)]
pub struct Hub {
    subscriptions: HashMap<Arc<str>, Subscription>,
    by_mailbox: HashMap<MailboxKey, Vec<Arc<str>>>,
    streams: BTreeMap<u64, Stream>,
    next_stream: u64,
    next_subscription: u128,
}

impl Hub {
    /// Makes a subscription; `None` when the mailbox has `limit` already.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one property of the subscription, named at the call"
    )]
    pub fn subscribe(
        &mut self,
        mailbox: MailboxKey,
        account: usize,
        back_end: BackEnd,
        host: &str,
        heard: Heard,
        kinds: &[EventKind],
        limit: usize,
        now: Timestamp,
    ) -> Option<Arc<str>> {
        self.end_idle(mailbox, now);
        let of_mailbox = self.by_mailbox.entry(mailbox).or_default();
        if of_mailbox.len() >= limit {
            return None;
        }
        self.next_subscription += 1;
        let number = self.next_subscription ^ now.as_nanosecond().unsigned_abs();
        let id: Arc<str> = subscription_id(host, number, now, mailbox).into();
        of_mailbox.push(Arc::clone(&id));
        let subscription = Subscription {
            mailbox,
            account,
            back_end,
            heard,
            kinds: kinds.into(),
            queue: VecDeque::new(),
            missed: false,
            stream: None,
            idle_since: now,
            created: now,
        };
        self.subscriptions.insert(Arc::clone(&id), subscription);
        Some(id)
    }

    fn end_idle(&mut self, mailbox: MailboxKey, now: Timestamp) {
        let idle: Vec<Arc<str>> = self
            .of(mailbox)
            .filter(|(_, subscription)| {
                subscription.stream.is_none() && now.duration_since(subscription.idle_since) > IDLE_LIMIT
            })
            .map(|(id, _)| Arc::clone(id))
            .collect();
        for id in idle {
            self.forget(&id);
        }
    }

    fn of(&self, mailbox: MailboxKey) -> impl Iterator<Item = (&Arc<str>, &Subscription)> {
        let ids = self.by_mailbox.get(&mailbox).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| Some((id, self.subscriptions.get(id)?)))
    }

    fn forget(&mut self, id: &str) -> Option<Subscription> {
        let subscription = self.subscriptions.remove(id)?;
        if let Some(ids) = self.by_mailbox.get_mut(&subscription.mailbox) {
            ids.retain(|own| **own != *id);
            if ids.is_empty() {
                self.by_mailbox.remove(&subscription.mailbox);
            }
        }
        Some(subscription)
    }

    /// Ends a subscription at its owner's wish.
    pub fn unsubscribe(&mut self, id: &str, account: usize) -> Result<(), ResponseCode> {
        match self.subscriptions.get(id) {
            None => Err(ResponseCode::SUBSCRIPTION_NOT_FOUND),
            Some(own) if own.account != account => Err(ResponseCode::SUBSCRIPTION_ACCESS_DENIED),
            Some(_) => {
                self.end(id, ResponseCode::SUBSCRIPTION_UNSUBSCRIBED);
                Ok(())
            }
        }
    }

    /// Ends a subscription; a stream that carries it says `code` about it and ends too.
    pub fn end(&mut self, id: &str, code: ResponseCode) -> bool {
        let Some(subscription) = self.forget(id) else { return false };
        if let Some(stream) = subscription.stream.and_then(|number| self.streams.get_mut(&number)) {
            stream.problem(code, id.into());
        }
        true
    }

    /// Ends all subscriptions of a mailbox.
    pub fn end_all_of(&mut self, mailbox: MailboxKey, code: &ResponseCode) {
        for id in self.by_mailbox.get(&mailbox).cloned().unwrap_or_default() {
            self.end(&id, code.clone());
        }
    }

    /// Opens a stream over `ids` at `back_end`. Streams that carried one of them are told that a new one
    /// was opened, and end.
    pub fn open(
        &mut self,
        account: usize,
        back_end: BackEnd,
        ids: &[String],
        limit: usize,
        now: Timestamp,
    ) -> Result<(u64, Arc<tokio::sync::Notify>), Refused> {
        let mut bad: BTreeMap<ResponseCode, Vec<String>> = BTreeMap::new();
        for id in ids {
            let code = match self.subscriptions.get(id.as_str()) {
                Some(own) if own.back_end != back_end => ResponseCode::SUBSCRIPTION_NOT_FOUND,
                Some(own) if own.account != account => ResponseCode::SUBSCRIPTION_ACCESS_DENIED,
                Some(_) => continue,
                None => ResponseCode::SUBSCRIPTION_NOT_FOUND,
            };
            bad.entry(code).or_default().push(id.clone());
        }
        if !bad.is_empty() {
            return Err(Refused::Subscriptions(bad.into_iter().collect()));
        }
        let taken_over = |number: &u64| {
            ids.iter()
                .any(|id| self.subscriptions.get(id.as_str()).is_some_and(|own| own.stream == Some(*number)))
        };
        let others =
            self.streams.iter().filter(|(number, stream)| stream.account == account && !taken_over(number));
        if others.count() >= limit {
            return Err(Refused::TooManyStreams);
        }
        let number = self.next_stream;
        self.next_stream += 1;
        let mut own = Vec::with_capacity(ids.len());
        for id in ids {
            let Some((id, _)) = self.subscriptions.get_key_value(id.as_str()) else { continue };
            let id = Arc::clone(id);
            let Some(subscription) = self.subscriptions.get_mut(&id) else { continue };
            if let Some(previous) = subscription.stream.replace(number).filter(|previous| *previous != number)
                && let Some(stream) = self.streams.get_mut(&previous)
            {
                stream.problem(ResponseCode::NEW_EVENT_STREAM_CONNECTION_OPENED, Arc::clone(&id));
            }
            own.push(id);
        }
        let wake = Arc::new(tokio::sync::Notify::new());
        let stream = Stream {
            account,
            ids: own,
            silent: false,
            cut: false,
            opened: now,
            events: 0,
            problems: Vec::new(),
            wake: Arc::clone(&wake),
        };
        self.streams.insert(number, stream);
        wake.notify_one();
        Ok((number, wake))
    }

    /// Takes a stream off its subscriptions.
    pub fn close(&mut self, number: u64, now: Timestamp) {
        let Some(stream) = self.streams.remove(&number) else { return };
        for id in &stream.ids {
            if let Some(own) = self.subscriptions.get_mut(id).filter(|own| own.stream == Some(number)) {
                own.stream = None;
                own.idle_since = now;
            }
        }
    }

    /// Gives an action's events to the subscriptions of its mailbox and wakes their streams.
    pub fn publish(
        &mut self,
        mailbox: MailboxKey,
        events: &[Event],
        moved_from: Option<FolderKind>,
        delivery: Delivery,
        now: Timestamp,
    ) {
        self.end_idle(mailbox, now);
        let Some(ids) = self.by_mailbox.get(&mailbox) else { return };
        for id in ids {
            let Some(subscription) = self.subscriptions.get_mut(id) else { continue };
            subscription.hear(events, moved_from, delivery);
            if let Some(stream) = subscription.stream.and_then(|number| self.streams.get(&number)) {
                stream.wake.notify_one();
            }
        }
    }

    /// What a stream is to send next; [`Output::Cut`] for a stream that is gone.
    pub fn collect(&mut self, number: u64) -> Output {
        let Some(stream) = self.streams.get_mut(&number) else { return Output::Cut };
        if stream.cut {
            return Output::Cut;
        }
        if stream.silent {
            for id in &stream.ids {
                // A new stream may have taken some of them over meanwhile.
                if let Some(own) = self.subscriptions.get_mut(id).filter(|own| own.stream == Some(number)) {
                    own.queue.clear();
                }
            }
            return Output::Silence;
        }
        if let Some((code, ids)) = stream.problems.pop() {
            return Output::Last(code, ids);
        }
        let missed: Vec<Arc<str>> = stream
            .ids
            .iter()
            .filter(|id| {
                let own = self.subscriptions.get_mut(&***id).filter(|own| own.stream == Some(number));
                own.is_some_and(|own| std::mem::take(&mut own.missed))
            })
            .cloned()
            .collect();
        if !missed.is_empty() {
            return Output::Problem(ResponseCode::MISSED_NOTIFICATION_EVENTS, missed);
        }
        let mut all = Vec::new();
        for id in &stream.ids {
            let own = self.subscriptions.get_mut(id);
            let Some(own) = own.filter(|own| own.stream == Some(number) && !own.queue.is_empty()) else {
                continue;
            };
            let events: Vec<Event> = own.queue.drain(..own.queue.len().min(MAX_EVENTS)).collect();
            stream.events += events.len() as u64;
            let more = !own.queue.is_empty();
            if more {
                stream.wake.notify_one();
            }
            all.push(Batch { id: Arc::clone(id), mailbox: own.mailbox, events, more });
        }
        if all.is_empty() { Output::Nothing } else { Output::Events(all) }
    }

    /// Cuts or silences open streams, at most `count` of them, and only those that carry a subscription of `mailbox`, where
    /// one is named; says how many.
    pub fn disturb(&mut self, count: Option<u32>, mailbox: Option<MailboxKey>, silence: bool) -> u32 {
        let mut done = 0;
        for (number, stream) in &mut self.streams {
            if stream.cut || stream.silent {
                continue;
            }
            // a subscription that another stream has taken over is not on this one any more
            let carries = |id: &Arc<str>| {
                self.subscriptions
                    .get(id)
                    .is_some_and(|one| Some(one.mailbox) == mailbox && one.stream == Some(*number))
            };
            if mailbox.is_some() && !stream.ids.iter().any(carries) {
                continue;
            }
            if count.is_some_and(|count| done >= count) {
                break;
            }
            stream.silent = silence;
            stream.cut = !silence;
            stream.wake.notify_one();
            done += 1;
        }
        done
    }

    /// The ids of subscriptions, of one mailbox or of all.
    pub fn ids(&self, mailbox: Option<MailboxKey>) -> Vec<Arc<str>> {
        match mailbox {
            Some(mailbox) => self.by_mailbox.get(&mailbox).cloned().unwrap_or_default(),
            None => self.subscriptions.keys().cloned().collect(),
        }
    }

    /// One subscription.
    pub fn subscription(&self, id: &str) -> Option<&Subscription> {
        self.subscriptions.get(id)
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// The open streams.
    pub fn streams(&self) -> impl Iterator<Item = (u64, &Stream)> {
        self.streams.iter().map(|(number, stream)| (*number, stream))
    }
}

impl Stream {
    fn problem(&mut self, code: ResponseCode, id: Arc<str>) {
        match self.problems.iter_mut().find(|(own, _)| *own == code) {
            Some((_, ids)) => ids.push(id),
            None => self.problems.push((code, vec![id])),
        }
        self.wake.notify_one();
    }
}

impl Subscription {
    fn hear(&mut self, events: &[Event], moved_from: Option<FolderKind>, delivery: Delivery) {
        let of_all;
        let events = match &self.heard {
            Heard::All => {
                of_all = events_of_all_folders(events);
                &of_all
            }
            Heard::These(_) => events,
        };
        let wanted: Vec<Event> = events
            .iter()
            .filter(|event| match &self.heard {
                Heard::All => true,
                Heard::These(folders) => folders.iter().any(|folder| event.concerns(*folder, moved_from)),
            })
            .filter(|event| self.kinds.contains(&event.kind))
            .copied()
            .collect();
        if wanted.is_empty() {
            return;
        }
        let folder_only = |event: &&Event| matches!(event.object, crate::event::Object::Folder(_));
        match delivery {
            Delivery::Normal => self.queue.extend(wanted),
            Delivery::WithoutItems => self.queue.extend(wanted.iter().filter(folder_only)),
            Delivery::Lost => {}
            Delivery::LostAndTold => self.missed = true,
            Delivery::Twice => self.queue.extend(wanted.iter().chain(&wanted)),
        }
        if self.queue.len() > MAX_QUEUE {
            self.queue.clear();
            self.missed = true;
        }
    }
}

#[cfg(test)]
mod tests;
