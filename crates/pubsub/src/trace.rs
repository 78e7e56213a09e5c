//! Trace context across HTTP, SNS and SQS, so that a request and all its messages are one trace.
//!
//! The context is sent as a W3C `traceparent`, in a header or a message attribute. X-Ray's header
//! is read if there is no `traceparent`.

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

/// The name of the header and of the message attribute that contain the context.
pub const TRACEPARENT: &str = "traceparent";
/// The name that the propagator expects, in lower case.
const XRAY_HEADER: &str = "x-amzn-trace-id";

/// The `traceparent` of the current span; `None` if it is not recorded.
pub fn current() -> Option<String> {
    of(&Span::current())
}

/// The `traceparent` of a span; `None` if it is not recorded.
pub(crate) fn of(span: &Span) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Makes a span a child of the span in `traceparent`. Has no effect if `traceparent` is invalid.
///
/// Call it before the span is entered or its context is read: later it has no effect.
pub fn set_parent(span: &Span, traceparent: Option<&str>) {
    if let Some(parent) = traceparent.and_then(context) {
        // It fails only if the span is not recorded.
        let _ = span.set_parent(parent);
    }
}

/// Links a span to the span in `traceparent`.
pub(crate) fn link(span: &Span, traceparent: &str) {
    if let Some(context) = context(traceparent) {
        span.add_link(context.span().span_context().clone());
    }
}

/// The trace id in `traceparent`; `None` if `traceparent` is invalid.
pub fn trace_id(traceparent: &str) -> Option<TraceId> {
    context(traceparent).map(|context| context.span().span_context().trace_id())
}

/// The `traceparent` for a value of X-Ray's header, such as `Root=1-…;Parent=…;Sampled=1`.
pub(crate) fn from_xray(header: &str) -> Option<String> {
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
    fn an_x_ray_header_is_converted() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(from_xray(header).as_deref(), Some(TRACEPARENT));
        for wrong in ["", "Root=1-5759e988-bd862e3fe1be46a994272793", "Root=1;Parent=2;Sampled=3"] {
            assert_eq!(from_xray(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_valid_traceparent_has_a_trace_id() {
        let id = trace_id(TRACEPARENT).map(|id| id.to_string());
        assert_eq!(id.as_deref(), Some("5759e988bd862e3fe1be46a994272793"));
        assert_eq!(trace_id("00-0-0-01"), None);
    }
}
