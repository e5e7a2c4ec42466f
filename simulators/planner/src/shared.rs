//! What all handlers of one simulator share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::SharedClock;
use proto_planner::{Request, WireTime};
use simulator_kit::{Capture, FaultPlan, Ring};
use uuid::Uuid;

use crate::admin::LogEntry;
use crate::calls::{CallEntry, CallStep};
use crate::meter::{CallFacts, Ending, Meter};
use crate::model::{Planner, folded};
use crate::security::{Certificates, Messages};
use crate::{Fault, Options, SimulatorError};

/// One simulator's state and settings.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) time: WireTime,
    pub(crate) clock: SharedClock,
    pub(crate) faults: Arc<FaultPlan<Fault>>,
    pub(crate) log: Ring<LogEntry>,
    pub(crate) calls: Ring<CallEntry>,
    pub(crate) capture: Option<Capture>,
    /// Where messages are signed.
    pub(crate) messages: Option<Messages>,
    planner: Mutex<Planner>,
    meter: Mutex<Meter>,
}

impl Shared {
    /// The state at start: the resources by number, no appointment, the rules of the options.
    pub(crate) fn new(options: Options, certificates: Option<&Certificates>) -> Result<Self, SimulatorError> {
        options.check()?;
        let certificates = certificates.filter(|_| options.signed);
        let messages = certificates
            .map(|certificates| Messages::new(certificates, Arc::clone(&options.clock)))
            .transpose()?;
        let faults = FaultPlan::new(Fault::OPERATIONS, options.seed);
        options.faults.iter().try_for_each(|rule| faults.add_json(rule.as_bytes()))?;
        let mut planner = Planner::default();
        let resources = options.resources().map(|(address, is_case_worker)| crate::admin::Resource {
            address,
            is_case_worker,
            name: None,
        });
        planner.set_resources(resources.map(|resource| resource.on_the_wire(Uuid::new_v4())).collect());
        Ok(Self {
            time: options.wire_time()?,
            clock: Arc::clone(&options.clock),
            faults: Arc::new(faults),
            log: Ring::new(options.log_entries),
            calls: Ring::new(options.log_entries),
            capture: options.capture.as_deref().map(Capture::open).transpose()?,
            messages,
            planner: Mutex::new(planner),
            meter: Mutex::new(Meter::new(options.allowed())),
            options,
        })
    }

    /// What Planner holds. Nobody who holds this lock can panic halfway through a change, so a poisoned one
    /// is still whole.
    pub(crate) fn planner(&self) -> MutexGuard<'_, Planner> {
        self.planner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, call: u64, step: CallStep) {
        self.calls.push(CallEntry { at_us: self.clock.now().as_microsecond(), call, step });
    }

    pub(crate) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in flight. Dropped without [`InFlight::answered`], its client has left.
#[derive(Debug)]
pub(crate) struct InFlight {
    shared: Arc<Shared>,
    call: u64,
    ending: Ending,
}

impl InFlight {
    /// Tells the meter that a call has come.
    pub(crate) fn enter(shared: &Arc<Shared>, request: &Request, correlation_id: Option<&str>) -> Self {
        let items = match request {
            Request::CreateEvents(events) | Request::UpdateEvents(events) | Request::DeleteEvents(events) => {
                events.len()
            }
            Request::GetEvents(query) => query.resources.len(),
            Request::GetResources(addresses) => addresses.len(),
        };
        let keys = request
            .events()
            .iter()
            .map(|event| (folded(&event.origin_email_address), event.origin_system_identifier.clone()));
        let facts = CallFacts { operation: request.operation(), items, keys: keys.collect() };
        let step = CallStep::Came {
            operation: request.operation().name().to_owned(),
            correlation_id: correlation_id.map(str::to_owned),
            items,
            keys: facts.keys.clone(),
        };
        // the log stands in the meter's order
        let mut meter = shared.meter();
        let call = meter.enter(facts, shared.clock.monotonic());
        shared.note(call, step);
        drop(meter);
        Self { shared: Arc::clone(shared), call, ending: Ending::Abandoned }
    }

    /// The answer is ready to leave.
    pub(crate) fn answered(mut self) {
        self.ending = Ending::Answered;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let now = self.shared.clock.monotonic();
        let mut meter = self.shared.meter();
        meter.leave(self.call, self.ending, now);
        self.shared.note(self.call, CallStep::Went { abandoned: self.ending == Ending::Abandoned });
    }
}
