//! Turns: so much at one time and no more. Who waits longest is next; and who has much to compute lets those go first that have
//! to answer.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

/// A number of turns, shared by its clones.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Semaphore>);

/// A turn; the next may go when it is dropped.
#[derive(Debug)]
#[must_use = "a turn is over when it is dropped"]
pub struct Turn<'a>(#[expect(dead_code, reason = "held, not read")] SemaphorePermit<'a>);

impl Turn<'_> {
    /// Ends the turn, and lets who has the next one go before the caller goes on with work of its own: a task that is woken waits
    /// for the one that wakes it to pause, and is taken over by no other thread meanwhile.
    pub async fn pass_on(self) {
        drop(self);
        tokio::task::yield_now().await;
        give_way();
    }
}

/// Lets others have this processor for a moment, if any wait for it: called before a stretch of computing that nobody waits for,
/// in work that is done in bulk.
///
/// A kernel puts who is asked on the processor of who asked, because that one is about to wait for the answer. One that goes on
/// computing instead keeps the other from beginning: the database server and the one that is read, where they run on the same
/// machine. Costs a call of the kernel (0.3 us) when nobody waits.
pub fn give_way() {
    std::thread::yield_now();
}

impl Turns {
    /// `at_one_time` of them; at least one, or nobody would ever go.
    pub fn new(at_one_time: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_one_time.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Waits for a turn.
    pub async fn take(&self) -> Turn<'_> {
        Turn(self.0.acquire().await.expect("nobody closes the semaphore"))
    }

    /// The same where there is a limit; who has none goes at once.
    pub async fn take_of(turns: Option<&Self>) -> Option<Turn<'_>> {
        match turns {
            Some(turns) => Some(turns.take().await),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn take_now(turns: &Turns) -> Option<Turn<'_>> {
        match pin!(turns.take()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn so_many_go_at_one_time_and_the_next_when_one_is_done() {
        let turns = Turns::new(2);
        let shared = turns.clone();
        let (first, second) = (take_now(&turns), take_now(&shared));
        assert!(first.is_some() && second.is_some());
        assert!(take_now(&turns).is_none());
        drop(first);
        assert!(take_now(&shared).is_some());
    }

    #[tokio::test]
    async fn who_passes_a_turn_on_goes_after_the_next() {
        let turns = Turns::new(1);
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let turn = turns.take().await;
        let next = tokio::spawn({
            let (turns, order) = (turns.clone(), Arc::clone(&order));
            async move {
                let _turn = turns.take().await;
                order.lock().unwrap().push("next");
            }
        });
        // it stands in line
        tokio::task::yield_now().await;
        turn.pass_on().await;
        order.lock().unwrap().push("before");
        next.await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["next", "before"]);
    }

    #[test]
    fn there_is_at_least_one() {
        assert!(take_now(&Turns::new(0)).is_some());
    }
}
