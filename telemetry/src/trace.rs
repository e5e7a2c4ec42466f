//! The bridge between `tracing` spans and the W3C trace context that is stored with a notification or
//! a decision: take the context of a span, go on from a stored one, or link to it.
//!
//! All of these do nothing (or answer `None`) when no tracer listens, so callers need no condition.

use base::TraceContext;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The context of the span that this thread is in, when that span is sampled.
pub fn current() -> Option<TraceContext> {
    stored(opentelemetry::Context::current().span().span_context())
}

/// The context of `span`, when it is sampled. Starts the span if nothing has entered it yet, so that
/// [`continue_from`] must come first.
pub fn of(span: &tracing::Span) -> Option<TraceContext> {
    stored(span.context().span().span_context())
}

/// Makes the stored context the parent of `span`: the trace goes on, in another stage, another process
/// or after a restart. Must come before the span is entered; on a span that has started already the
/// connection is kept as a link instead.
pub fn continue_from(span: &tracing::Span, context: &TraceContext) {
    let parent = remote(context);
    let parent_context = opentelemetry::Context::new().with_remote_span_context(parent.clone());
    if let Err(tracing_opentelemetry::SetParentError::AlreadyStarted) = span.set_parent(parent_context) {
        span.add_link(parent);
    }
}

/// Links `span` to the stored context: for a span with several origins, like a batch and its members.
pub fn link(span: &tracing::Span, context: &TraceContext) {
    span.add_link(remote(context));
}

/// The stored form of a span context; `None` when it is invalid or not sampled.
fn stored(context: &SpanContext) -> Option<TraceContext> {
    if !context.is_valid() || !context.is_sampled() {
        return None;
    }
    let flags = context.trace_flags().to_u8();
    format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id()).parse().ok()
}

/// The span context that a stored one stands for.
fn remote(context: &TraceContext) -> SpanContext {
    // A TraceContext has the form 00-<32 hex>-<16 hex>-<2 hex>; its type guarantees that.
    let text = context.as_str();
    let trace = TraceId::from_hex(context.trace_id()).unwrap_or(TraceId::INVALID);
    let span = text.get(36..52).and_then(|hex| SpanId::from_hex(hex).ok()).unwrap_or(SpanId::INVALID);
    let flags = text.get(53..55).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default();
    SpanContext::new(trace, span, TraceFlags::new(flags), true, TraceState::default())
}

#[cfg(test)]
mod tests {
    //! Goal: what is stored is what comes back. How spans are connected on the wire is tested in
    //! `tests/otlp.rs`.
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_a_tracer_there_is_no_context_and_nothing_fails() {
        let span = tracing::info_span!("nobody listens");
        let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
        continue_from(&span, &context);
        link(&span, &context);
        assert_eq!(of(&span), None);
        assert_eq!(current(), None);
    }

    #[test]
    fn an_unsampled_context_is_not_stored() {
        let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00".parse().unwrap();
        assert_eq!(stored(&remote(&context)), None);
        assert_eq!(stored(&SpanContext::empty_context()), None);
    }

    proptest! {
        #[test]
        fn a_sampled_context_survives_storing(trace in 1u128.., span in 1u64..) {
            let text: TraceContext = format!("00-{trace:032x}-{span:016x}-01").parse().unwrap();
            prop_assert_eq!(stored(&remote(&text)), Some(text));
        }
    }
}
