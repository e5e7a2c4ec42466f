//! Says where a child panicked, without saying what about.
//!
//! A formatted panic message may quote any value, the subject of an appointment among them, and exit
//! reasons are logged and shown. So only a message that stands in the source as it is gets through, and
//! the place in the source if the process's panic hook passes it on with [`note`].

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

thread_local! {
    static LAST_PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// For the process's panic hook: remembers where this thread panicked, so that the exit reason of the
/// child can tell.
pub fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
    // During thread shutdown there is nothing to remember, and no child.
    let _ = LAST_PLACE.try_with(|last| *last.borrow_mut() = place);
}

/// What may be told of a panic that was just caught on this thread.
pub(crate) fn describe(payload: Box<dyn Any + Send>) -> String {
    let message = payload.downcast_ref::<&'static str>().copied();
    let description = crate::exit::cut(message.unwrap_or("message withheld, it may hold content"));
    // A payload may panic when it is dropped. That one's payload is leaked: there must be an end to it.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(payload))).map_err(std::mem::forget);
    match LAST_PLACE.with(|last| last.borrow_mut().take()) {
        Some(place) => format!("{description} at {place}"),
        None => description,
    }
}
