//! One order is one trace, across HTTP, SNS, SQS and back.
//!
//! The context travels as W3C `traceparent`, in a header or a message attribute; X-Ray's own header
//! is understood where there is no other. Spans are named as OpenTelemetry's conventions for
//! messaging say.

use std::collections::HashMap;

use opentelemetry::{
    Context,
    propagation::TextMapPropagator as _,
    trace::{TraceContextExt as _, TraceId},
};
use opentelemetry_aws::trace::XrayPropagator;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header and the message attribute that carry the context.
pub const TRACEPARENT: &str = "traceparent";
/// The header as the propagator looks for it.
const XRAY_HEADER: &str = "x-amzn-trace-id";

/// The context of the span that we are in.
pub fn current() -> Option<String> {
    of(&Span::current())
}

/// The context of a span.
pub fn of(span: &Span) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Makes a span go on where `traceparent` comes from. Call it before anything else is done with
/// the span.
pub fn set_parent(span: &Span, traceparent: Option<&str>) {
    if let Some(parent) = traceparent.and_then(context) {
        // It fails only for a span that nobody records.
        let _ = span.set_parent(parent);
    }
}

/// Notes that a span has to do with where `traceparent` comes from.
pub fn link(span: &Span, traceparent: &str) {
    if let Some(context) = context(traceparent) {
        span.add_link(context.span().span_context().clone());
    }
}

/// The id of the trace that `traceparent` belongs to.
pub fn trace_id(traceparent: &str) -> Option<TraceId> {
    context(traceparent).map(|context| context.span().span_context().trace_id())
}

/// The `traceparent` that says the same as X-Ray's own header: `Root=1-…;Parent=…;Sampled=1`.
pub fn from_xray(header: &str) -> Option<String> {
    let carrier = HashMap::from([(XRAY_HEADER.to_owned(), header.to_owned())]);
    let context = XrayPropagator::new().extract_with_context(&Context::new(), &carrier);
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.remove(TRACEPARENT)
}

fn context(traceparent: &str) -> Option<Context> {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    context.span().span_context().is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACEPARENT: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

    #[test]
    fn x_rays_own_header_is_understood() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(from_xray(header).as_deref(), Some(TRACEPARENT));
        for wrong in ["", "Root=1-5759e988-bd862e3fe1be46a994272793", "Root=1;Parent=2;Sampled=3"] {
            assert_eq!(from_xray(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_trace_has_an_id_and_nonsense_has_none() {
        let id = trace_id(TRACEPARENT).map(|id| id.to_string());
        assert_eq!(id.as_deref(), Some("5759e988bd862e3fe1be46a994272793"));
        assert_eq!(trace_id("00-0-0-01"), None);
    }
}
