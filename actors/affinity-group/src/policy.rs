//! What an affinity group does next. Pure: events and instants come in, directives go out.
//!
//! Anchor and cookie: the first member (alphabetically) that can be subscribed becomes the anchor; the
//! others subscribe only then, within its affinity. A member that cannot be listened to does not hold up the
//! others. When all subscriptions are lost together the affinity is settled anew.
//!
//! Stream and gaps: one stream for all live subscriptions. It grows in batches, since a member cannot be
//! added to an open stream.
//! * The server's planned end (`Closed`), open again within `no_gap_within`, has missed nothing.
//! * Every other end, also one of ours to add members, may have lost what was on its way: the mailboxes that were
//!   on the stream catch up when the next one is open. (B7 would let a planned close pass; but what the server had
//!   written when we closed is gone, and a catch-up costs little.)
//! * A stream that complains about subscriptions which the group ended itself (a mailbox left) is opened anew
//!   without them, quietly.
//! * A subscription that nobody heard for longer than `no_gap_within` catches up, too.
//! * Growth: while members are being subscribed the stream is opened anew after `growth_pause`, then after twice
//!   that and so on up to `growth_pause_max`, and once more when all are there.
//! * A stream that failed is ordered anew at once (after the server's own time, if it named one): the pause before
//!   the next try is the business of its supervisor, or during an outage of the stream's actor. Only ends without
//!   a fault that come too soon are paused for here.
//!
//! Invariants (quoted in the tests):
//! * AG-1 there is at most one stream, and events of former ones change nothing;
//! * AG-2 the stream of a settled group holds exactly the live subscriptions;
//! * AG-3 every subscription that was on a stream which ended by anything but `Closed` is followed by a
//!   catch-up after the next opening;
//! * AG-4 whenever a stream is wanted and none is open or opening, a wake-up is set;
//! * AG-5 an opening that an outage delays follows the live subscriptions, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use calendar::MailAddress;
use calendar::ids::SubscriptionId;

use crate::config::GroupOptions;
use crate::ended::EndedHere;

#[cfg(test)]
mod tests;

/// Most subscriptions of one stream (limit of Exchange).
pub const STREAM_IDS: usize = 200;
/// Failures in a row after which a member that should become the anchor no longer holds up the others.
const ANCHOR_TRIES: u32 = 3;
/// So long it may take until it says what became of it: one whose actor fails again and again never does.
const ANCHOR_PATIENCE: Duration = Duration::from_secs(10);

/// Until when others wait for a candidate for the anchor.
fn candidate_until(member: &Member) -> Instant {
    member.started_at + base::pace::scaled(ANCHOR_PATIENCE)
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// These are the members now.
    Members(BTreeSet<MailAddress>),
    /// A member has a live subscription.
    Live {
        /// Which member.
        mailbox: MailAddress,
        /// Its subscription.
        subscription: SubscriptionId,
        /// The affinity cookie that it set.
        cookie: Option<String>,
    },
    /// A member cannot be listened to at present.
    Down {
        /// Which member.
        mailbox: MailAddress,
        /// Is the mailbox itself at fault?
        own_fault: bool,
    },
    /// The stream is open.
    Opened(u64),
    /// The stream ended as planned.
    Closed(u64),
    /// The stream cannot be opened at present, by an outage; its actor tries again.
    Away(u64),
    /// The stream was refused, broke or fell silent.
    Failed {
        /// Which stream.
        stream: u64,
        /// The server knows none of its subscriptions.
        all_lost: bool,
        /// How long the server asked to wait.
        after: Option<Duration>,
    },
    /// These subscriptions cannot be served.
    Bad {
        /// Which stream.
        stream: u64,
        /// Which subscriptions.
        subscriptions: Vec<SubscriptionId>,
    },
    /// Events of these subscriptions were lost; empty = of all.
    Missed {
        /// Which stream.
        stream: u64,
        /// Which subscriptions.
        subscriptions: Vec<SubscriptionId>,
    },
    /// The wake-up of [`Policy::wake_at`].
    Tick,
}

/// Something is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// The affinity that members subscribe within, from now on.
    Affinity(Option<(MailAddress, Option<String>)>),
    /// Start the member's actor.
    Start(MailAddress),
    /// The member is to make a new subscription.
    Resubscribe(MailAddress),
    /// The mailbox is no member any more: end what the server may have of it, and its actor, if there is one.
    End(MailAddress),
    /// End a subscription that its mailbox has replaced.
    Unsubscribe(MailAddress, SubscriptionId),
    /// Open a stream.
    Open {
        /// Its number.
        stream: u64,
        /// What it is to hold.
        members: Vec<(MailAddress, SubscriptionId)>,
    },
    /// Close the stream that is open or opening.
    Close,
    /// The mailbox is to catch up.
    CatchUp {
        /// Which.
        mailbox: MailAddress,
        /// Many do so at the same time.
        spread: bool,
    },
    /// All subscriptions were lost together (9003).
    TellAllLost,
    /// No member can be subscribed (4926).
    TellNoneLive,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Its turn has not come.
    Waiting,
    /// Its actor works on it.
    Starting,
    Live(SubscriptionId),
    /// Its actor tries again by itself.
    Down,
}

#[derive(Debug, Clone)]
struct Member {
    state: State,
    /// It has an actor.
    begun: bool,
    /// Failures in a row.
    downs: u32,
    /// Is the last failure its own?
    own_fault: bool,
    /// When its present or last start was ordered.
    started_at: Instant,
    /// Since when no stream has listened to its subscription.
    unheard_since: Instant,
    /// It may have lost events.
    gap: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stream {
    /// None is wanted.
    Idle,
    /// None yet; `at`: open it then.
    Pausing {
        at: Instant,
    },
    /// Ordered; `away`: when an outage was last told.
    Opening {
        ids: BTreeSet<SubscriptionId>,
        away: Option<Instant>,
    },
    Open {
        ids: BTreeSet<SubscriptionId>,
        since: Instant,
    },
}

/// The state of one group.
#[derive(Debug)]
pub struct Policy {
    options: GroupOptions,
    members: BTreeMap<MailAddress, Member>,
    anchored: Option<(MailAddress, Option<String>)>,
    stream: Stream,
    /// The number of the last stream.
    number: u64,
    /// Streams in a row that ended without a fault and too soon.
    failures: u32,
    /// Since when the live subscriptions differ from those of the stream.
    changed_since: Option<Instant>,
    /// Openings in a row that were made while members were still being subscribed.
    growths: u32,
    /// When all mailboxes caught up last because no stream could be opened.
    deaf_since: Option<Instant>,
    opened_once: bool,
    ended: EndedHere,
}

impl Policy {
    /// A group without members.
    pub const fn new(options: GroupOptions) -> Self {
        Self {
            options,
            members: BTreeMap::new(),
            anchored: None,
            stream: Stream::Idle,
            number: 0,
            failures: 0,
            changed_since: None,
            growths: 0,
            deaf_since: None,
            opened_once: false,
            ended: EndedHere::new(),
        }
    }

    /// The state after `event`, and what is to be done, in order. `random` lies in 0..1.
    pub fn on(&mut self, event: Event, now: Instant, random: f64) -> Vec<Directive> {
        let mut out = Vec::new();
        match event {
            Event::Members(members) => self.set_members(members, now, &mut out),
            Event::Live { mailbox, subscription, cookie } => {
                self.live(&mailbox, subscription, cookie, now, &mut out);
            }
            Event::Down { mailbox, own_fault } => self.down(&mailbox, own_fault, &mut out),
            Event::Opened(stream) if stream == self.number => self.opened(now, &mut out),
            Event::Closed(stream) if stream == self.number => self.closed(now, random),
            Event::Away(stream) if stream == self.number => self.away(now),
            Event::Failed { stream, all_lost, after } if stream == self.number => {
                self.failed(all_lost, after, now, &mut out);
            }
            Event::Bad { stream, subscriptions } if stream == self.number => {
                self.bad(&subscriptions, now, random, &mut out);
            }
            Event::Missed { stream, subscriptions } if stream == self.number => {
                self.missed(&subscriptions, &mut out);
            }
            Event::Tick => self.deaf(now, &mut out),
            // of a former stream (AG-1)
            Event::Opened(_)
            | Event::Closed(_)
            | Event::Away(_)
            | Event::Failed { .. }
            | Event::Bad { .. }
            | Event::Missed { .. } => {}
        }
        self.start_members(now, &mut out);
        self.settle(now, &mut out);
        out
    }

    /// When [`Event::Tick`] is due.
    pub fn wake_at(&self) -> Option<Instant> {
        let next = match &self.stream {
            Stream::Idle | Stream::Opening { away: None, .. } => None,
            Stream::Pausing { at } => Some(*at),
            Stream::Opening { away: Some(since), .. } | Stream::Open { since, .. } => {
                self.changed_since.map(|changed| self.grow_at(changed, *since))
            }
        };
        let deaf = self.deaf_since.map(|since| since + self.options.deaf_catch_up_every);
        next.into_iter().chain(deaf).chain(self.next_candidate_at()).min()
    }

    /// When the next candidate for the anchor is started, since the one before says nothing.
    fn next_candidate_at(&self) -> Option<Instant> {
        let members = || self.members.values();
        if self.anchored.is_some() || !members().any(|member| member.state == State::Waiting) {
            return None;
        }
        members().filter(|member| member.state == State::Starting).map(candidate_until).max()
    }

    /// Has the group done for its members what it can? Stays true.
    pub fn is_ready(&self) -> bool {
        self.opened_once || self.members.values().all(|member| member.state == State::Down)
    }

    /// The live subscriptions.
    pub fn live_subscriptions(&self) -> Vec<(MailAddress, SubscriptionId)> {
        let live = |(mail, member): (&MailAddress, &Member)| match &member.state {
            State::Live(id) => Some((mail.clone(), id.clone())),
            _ => None,
        };
        self.members.iter().filter_map(live).take(STREAM_IDS).collect()
    }

    /// Is this the last stream that was wanted?
    pub const fn is_current(&self, stream: u64) -> bool {
        self.number == stream
    }

    /// How many of these subscriptions were not ended here: only those are lost.
    pub fn lost_among(&self, subscriptions: &[SubscriptionId]) -> usize {
        self.ended.others_among(subscriptions)
    }

    fn live_ids(&self) -> BTreeSet<SubscriptionId> {
        self.live_subscriptions().into_iter().map(|(_, id)| id).collect()
    }

    fn stream_ids(&self) -> Option<&BTreeSet<SubscriptionId>> {
        match &self.stream {
            Stream::Opening { ids, .. } | Stream::Open { ids, .. } => Some(ids),
            Stream::Idle | Stream::Pausing { .. } => None,
        }
    }

    fn set_members(&mut self, members: BTreeSet<MailAddress>, now: Instant, out: &mut Vec<Directive>) {
        let leaving: Vec<MailAddress> =
            self.members.keys().filter(|mail| !members.contains(*mail)).cloned().collect();
        for mail in leaving {
            if let Some(State::Live(id)) = self.members.remove(&mail).map(|member| member.state) {
                self.ended.remember(&id);
            }
            out.push(Directive::End(mail));
        }
        for mail in members {
            self.members.entry(mail).or_insert(Member {
                state: State::Waiting,
                begun: false,
                downs: 0,
                own_fault: false,
                started_at: now,
                unheard_since: now,
                gap: false,
            });
        }
        self.keep_anchor(out);
    }

    /// The anchor must be a member that is listened to; its cookie goes on.
    fn keep_anchor(&mut self, out: &mut Vec<Directive>) {
        let Some((anchor, cookie)) = &self.anchored else { return };
        if self.members.contains_key(anchor) {
            return;
        }
        let successor = self.live_subscriptions().into_iter().next();
        self.anchored = successor.map(|(mail, _)| (mail, cookie.clone()));
        out.push(Directive::Affinity(self.anchored.clone()));
    }

    fn live(
        &mut self,
        mailbox: &MailAddress,
        subscription: SubscriptionId,
        cookie: Option<String>,
        now: Instant,
        out: &mut Vec<Directive>,
    ) {
        let Some(member) = self.members.get_mut(mailbox) else {
            // it left meanwhile
            self.ended.remember(&subscription);
            out.push(Directive::Unsubscribe(mailbox.clone(), subscription));
            return;
        };
        let replaced = match std::mem::replace(&mut member.state, State::Live(subscription.clone())) {
            State::Live(old) if old != subscription => Some(old),
            _ => None,
        };
        member.downs = 0;
        member.own_fault = false;
        // its own catch-up follows the subscription
        member.gap = false;
        member.unheard_since = now;
        if let Some(old) = replaced {
            // its actor was restarted and knows nothing of the old one
            self.ended.remember(&old);
            out.push(Directive::Unsubscribe(mailbox.clone(), old));
        }
        let affinity = match (&self.anchored, cookie) {
            (None, cookie) => Some((mailbox.clone(), cookie)),
            (Some((anchor, known)), Some(cookie)) if known.as_ref() != Some(&cookie) => {
                Some((anchor.clone(), Some(cookie)))
            }
            _ => None,
        };
        if affinity.is_some() {
            self.anchored.clone_from(&affinity);
            out.push(Directive::Affinity(affinity));
        }
    }

    fn down(&mut self, mailbox: &MailAddress, own_fault: bool, out: &mut Vec<Directive>) {
        let had_hope = self.members.values().any(|member| member.state != State::Down);
        let Some(member) = self.members.get_mut(mailbox) else { return };
        member.state = State::Down;
        member.downs = member.downs.saturating_add(1);
        member.own_fault = own_fault;
        if had_hope && self.members.values().all(|member| member.state == State::Down) {
            out.push(Directive::TellNoneLive);
        }
    }

    fn opened(&mut self, now: Instant, out: &mut Vec<Directive>) {
        let Stream::Opening { ids, .. } = &self.stream else { return };
        let ids = ids.clone();
        for (mail, member) in &mut self.members {
            let State::Live(id) = &member.state else { continue };
            if !ids.contains(id) {
                continue;
            }
            let unheard = now.saturating_duration_since(member.unheard_since);
            if member.gap || unheard > self.options.no_gap_within {
                out.push(Directive::CatchUp { mailbox: mail.clone(), spread: true });
            }
            member.gap = false;
        }
        self.stream = Stream::Open { ids, since: now };
        self.deaf_since = None;
        self.opened_once = true;
    }

    fn closed(&mut self, now: Instant, random: f64) {
        let lived = self.lived(now);
        self.end_stream(now, false);
        // a server that closes at once would be asked again and again
        let pause = if lived >= self.options.growth_pause { Duration::ZERO } else { self.too_soon(random) };
        self.stream = Stream::Pausing { at: now + pause };
    }

    /// The pause after an end without a fault that came too soon.
    fn too_soon(&mut self, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.options.reopen.delay(self.failures, random)
    }

    /// The server may have taken an opening for one that succeeded, so what it had to say may be lost.
    fn away(&mut self, now: Instant) {
        let Stream::Opening { ids, away } = &mut self.stream else { return };
        *away = Some(now);
        for member in self.members.values_mut() {
            member.gap |= matches!(&member.state, State::Live(id) if ids.contains(id));
        }
        self.deaf_since.get_or_insert(now);
    }

    fn failed(&mut self, all_lost: bool, after: Option<Duration>, now: Instant, out: &mut Vec<Directive>) {
        self.end_stream(now, true);
        self.stream = Stream::Pausing { at: now + after.unwrap_or_default() };
        self.deaf_since.get_or_insert(now);
        if all_lost {
            self.lose_all(out);
        }
    }

    fn bad(&mut self, subscriptions: &[SubscriptionId], now: Instant, random: f64, out: &mut Vec<Directive>) {
        let bad: Vec<MailAddress> = self
            .live_subscriptions()
            .into_iter()
            .filter(|(_, id)| subscriptions.contains(id))
            .map(|(mail, _)| mail)
            .collect();
        let lost = self.lost_among(subscriptions);
        self.ended.excuse(subscriptions);
        if bad.is_empty() && lost == 0 && !subscriptions.is_empty() {
            // ended here: a stream without them, at once
            out.push(Directive::Close);
            self.end_stream(now, true);
            self.stream = Stream::Pausing { at: now };
            return;
        }
        if bad.is_empty() {
            // the server complains about what it was not asked for: nothing to drop, so do not hurry
            out.push(Directive::Close);
            let pause = self.too_soon(random);
            return self.failed(false, Some(pause), now, out);
        }
        out.push(Directive::Close);
        self.end_stream(now, true);
        self.stream = Stream::Pausing { at: now };
        if bad.len() == self.live_ids().len() {
            return self.lose_all(out);
        }
        for mail in bad {
            if let Some(member) = self.members.get_mut(&mail) {
                member.state = State::Starting;
                member.started_at = now;
                out.push(Directive::Resubscribe(mail));
            }
        }
    }

    fn missed(&self, subscriptions: &[SubscriptionId], out: &mut Vec<Directive>) {
        let concerned = |id: &SubscriptionId| subscriptions.is_empty() || subscriptions.contains(id);
        let live = self.live_subscriptions();
        let spread = subscriptions.len() != 1;
        for (mailbox, _) in live.into_iter().filter(|(_, id)| concerned(id)) {
            out.push(Directive::CatchUp { mailbox, spread });
        }
    }

    /// While nothing can be heard, look from time to time.
    fn deaf(&mut self, now: Instant, out: &mut Vec<Directive>) {
        let due = self.deaf_since.is_some_and(|since| now >= since + self.options.deaf_catch_up_every);
        if !due {
            return;
        }
        self.deaf_since = Some(now);
        let live = self.live_subscriptions();
        out.extend(live.into_iter().map(|(mailbox, _)| Directive::CatchUp { mailbox, spread: true }));
    }

    /// All subscriptions went together (a failover, a restart of the server): the affinity is settled anew by
    /// the first of them, the others follow it.
    fn lose_all(&mut self, out: &mut Vec<Directive>) {
        out.push(Directive::TellAllLost);
        self.anchored = None;
        out.push(Directive::Affinity(None));
        for member in self.members.values_mut() {
            if matches!(member.state, State::Live(_)) {
                member.state = State::Waiting;
            }
        }
        self.stream = Stream::Idle;
        self.deaf_since = None;
    }

    /// How long the stream has been open.
    fn lived(&self, now: Instant) -> Duration {
        match &self.stream {
            Stream::Open { since, .. } => now.saturating_duration_since(*since),
            _ => Duration::ZERO,
        }
    }

    /// Notes what the end of the stream means for those who were on it.
    fn end_stream(&mut self, now: Instant, lossy: bool) {
        if self.lived(now) >= self.options.sound_after {
            self.failures = 0;
        }
        let was_open = matches!(self.stream, Stream::Open { .. });
        let Some(ids) = self.stream_ids().cloned() else { return };
        for member in self.members.values_mut() {
            if matches!(&member.state, State::Live(id) if ids.contains(id)) {
                member.gap |= lossy;
                if was_open {
                    member.unheard_since = now;
                }
            }
        }
        self.stream = Stream::Idle;
    }

    /// Starts members whose turn it is: one at a time until there is an anchor, then all.
    fn start_members(&mut self, now: Instant, out: &mut Vec<Directive>) {
        if self.anchored.is_none() {
            let candidate_at_work = self.members.values().any(|member| match member.state {
                State::Starting => now < candidate_until(member),
                State::Down => !member.own_fault && member.downs < ANCHOR_TRIES,
                State::Waiting | State::Live(_) => false,
            });
            if candidate_at_work {
                return;
            }
        }
        for (mail, member) in &mut self.members {
            if member.state != State::Waiting {
                continue;
            }
            member.state = State::Starting;
            member.started_at = now;
            out.push(if member.begun {
                Directive::Resubscribe(mail.clone())
            } else {
                Directive::Start(mail.clone())
            });
            member.begun = true;
            if self.anchored.is_none() {
                return;
            }
        }
    }

    /// Brings the stream to hold the live subscriptions (AG-2).
    fn settle(&mut self, now: Instant, out: &mut Vec<Directive>) {
        let wanted = self.live_ids();
        if wanted.is_empty() {
            if self.stream_ids().is_some() {
                out.push(Directive::Close);
                self.end_stream(now, true);
            }
            self.stream = Stream::Idle;
            self.changed_since = None;
            self.deaf_since = None;
            return;
        }
        match &self.stream {
            // give the others that are being subscribed a moment, so that all come at once
            Stream::Idle => {
                let at = if self.anybody_starting() { now + self.options.growth_pause } else { now };
                self.stream = Stream::Pausing { at };
            }
            // one that is on its way is not disturbed: it would never get there while members come one by one
            Stream::Pausing { .. } | Stream::Opening { away: None, .. } => {}
            Stream::Opening { ids, away: Some(since) } | Stream::Open { ids, since } => {
                if *ids == wanted {
                    self.changed_since = None;
                } else {
                    let changed = *self.changed_since.get_or_insert(now);
                    if self.grow_at(changed, *since) <= now {
                        out.push(Directive::Close);
                        self.end_stream(now, true);
                        self.stream = Stream::Pausing { at: now };
                    }
                }
            }
        }
        if matches!(self.stream, Stream::Pausing { at } if at <= now) {
            self.open(wanted, out);
        }
    }

    /// When a stream that is open, or delayed, since `since` is opened anew for a change of its members.
    fn grow_at(&self, changed: Instant, since: Instant) -> Instant {
        let shortest = self.options.growth_pause;
        if !self.anybody_starting() {
            return changed.max(since + shortest);
        }
        // many are on their way: ever fewer openings the longer that goes on, since each makes all catch up
        let doubled = shortest.saturating_mul(1 << self.growths.saturating_sub(1).min(16));
        let pause = doubled.min(self.options.growth_pause_max).max(shortest);
        (changed + pause).max(since + pause)
    }

    fn anybody_starting(&self) -> bool {
        self.members.values().any(|member| matches!(member.state, State::Starting | State::Waiting))
    }

    fn open(&mut self, ids: BTreeSet<SubscriptionId>, out: &mut Vec<Directive>) {
        self.number += 1;
        self.changed_since = None;
        self.growths = if self.anybody_starting() { self.growths.saturating_add(1) } else { 0 };
        self.stream = Stream::Opening { ids, away: None };
        out.push(Directive::Open { stream: self.number, members: self.live_subscriptions() });
    }
}
