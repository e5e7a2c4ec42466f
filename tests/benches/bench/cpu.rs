//! The processor time of this thread: what a computation costs, whatever else the machine does meanwhile.

use std::time::Duration;

/// How long is measured at a time.
const SLICE: Duration = Duration::from_millis(300);
/// Slices of each of the two; they take turns, and the least counts: what disturbs only adds.
const SLICES: usize = 7;

/// Processor time of this thread so far, as Linux counts it.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts a thread's time");
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the first number is the time on a processor"))
}

/// Seconds of the processor for one run of `work`, in one slice.
fn slice(work: &mut dyn FnMut()) -> f64 {
    let began = used();
    let mut runs = 0_u32;
    loop {
        work();
        runs += 1;
        let spent = used().saturating_sub(began);
        if spent >= SLICE {
            return spent.as_secs_f64() / f64::from(runs);
        }
    }
}

/// Seconds of the processor for one run of each.
pub(crate) fn of_each<const N: usize>(works: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut least = [f64::INFINITY; N];
    let mut works = works;
    for _ in 0..SLICES {
        for (work, least) in works.iter_mut().zip(&mut least) {
            *least = least.min(slice(*work));
        }
    }
    least
}
