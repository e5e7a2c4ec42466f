//! A reference to a child that follows it through its incarnations.
//!
//! Two facts of actix shape this. Every clone of an `Addr` may put one message into a full mailbox, so
//! sending through fresh clones has no limit: [`ChildRef::try_send`] therefore sends through one shared
//! address. And a request that meets a full mailbox is never woken again: [`ChildRef::send`] therefore
//! uses a clone of its own (which is never full) and counts the requests under way instead.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::dev::ToEnvelope;
use actix::prelude::SendError;
use actix::{Actor, Addr, Handler, Message};

use crate::error::ChildError;

/// A reference to one child, whichever incarnation lives. Clones refer to the same child.
///
/// A message goes to the incarnation that lives when it is sent. It is lost when that incarnation ends
/// before its turn; [`ChildRef::send`] tells ([`ChildError::Lost`]), [`ChildRef::try_send`] cannot.
pub struct ChildRef<A: Actor> {
    slot: Arc<Mutex<Option<Arc<Current<A>>>>>,
}

struct Current<A: Actor> {
    token: u64,
    addr: Addr<A>,
    capacity: usize,
    requests: AtomicUsize,
}

/// Counts a request out again, also when its future is dropped.
struct RequestGuard<A: Actor>(Arc<Current<A>>);

impl<A: Actor> Drop for RequestGuard<A> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<A: Actor> Clone for ChildRef<A> {
    fn clone(&self) -> Self {
        Self { slot: Arc::clone(&self.slot) }
    }
}

impl<A: Actor> Default for ChildRef<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Actor> fmt::Debug for ChildRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildRef").field("running", &self.lock().is_some()).finish()
    }
}

impl<A: Actor> ChildRef<A> {
    /// A reference to a child that has not been started: give it to one `ChildSpec::actor`.
    pub fn new() -> Self {
        Self { slot: Arc::new(Mutex::new(None)) }
    }

    /// The address of the living incarnation, if there is one. It dies with that incarnation, so do not
    /// keep it; and a fresh clone ignores the mailbox's capacity once, so do not send a lot through it.
    pub fn current(&self) -> Option<Addr<A>> {
        self.lock().as_ref().map(|current| current.addr.clone())
    }

    /// Puts a message into the mailbox, if there is room.
    ///
    /// # Errors
    /// [`ChildError::NotRunning`] and [`ChildError::Full`]: the message was not taken.
    pub fn try_send<M>(&self, message: M) -> Result<(), ChildError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let current = self.lock().clone().ok_or(ChildError::NotRunning)?;
        current.addr.try_send(message).map_err(|error| match error {
            SendError::Full(_) => ChildError::Full,
            SendError::Closed(_) => ChildError::NotRunning,
        })
    }

    /// Sends a message and waits for the answer. As many requests may be under way as the mailbox has
    /// room for messages.
    ///
    /// # Errors
    /// [`ChildError::NotRunning`] and [`ChildError::Full`]: the message was not taken.
    /// [`ChildError::Lost`]: the incarnation ended, or the handler panicked, before the answer.
    pub async fn send<M>(&self, message: M) -> Result<M::Result, ChildError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let current = self.lock().clone().ok_or(ChildError::NotRunning)?;
        let limit = current.capacity;
        let one_more = |under_way: usize| (under_way < limit).then_some(under_way + 1);
        current
            .requests
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
            .map_err(|_| ChildError::Full)?;
        let guard = RequestGuard(current);
        if !guard.0.addr.connected() {
            return Err(ChildError::NotRunning);
        }
        let own_addr = guard.0.addr.clone();
        own_addr.send(message).await.map_err(|_| ChildError::Lost)
    }

    /// Points the reference at a new incarnation; gives the token with which to clear it.
    pub(crate) fn point_at(&self, addr: Addr<A>, capacity: usize) -> u64 {
        static NEXT_TOKEN: AtomicU64 = AtomicU64::new(1);
        let token = NEXT_TOKEN.fetch_add(1, Ordering::Relaxed);
        let current = Current { token, addr, capacity, requests: AtomicUsize::new(0) };
        *self.lock() = Some(Arc::new(current));
        token
    }

    /// The incarnation of `token` has ended; a later one is left alone.
    pub(crate) fn clear(&self, token: u64) {
        let mut slot = self.lock();
        if slot.as_ref().is_some_and(|current| current.token == token) {
            // The address is dropped after the lock: dropping it may run foreign code.
            let ended = slot.take();
            drop(slot);
            drop(ended);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Current<A>>>> {
        // Nothing panics under this lock, and its content is always whole.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
