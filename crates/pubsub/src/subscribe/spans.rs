//! Spans for received messages. Names and fields follow OpenTelemetry's conventions for messaging.

use tracing::Span;

use super::received::Received;
use crate::{telemetry::SPANS, trace};

/// Records a span for a received batch, with links to the traces of its messages.
pub fn receive(queue: &str, messages: &[Received]) {
    let mut traced = messages.iter().filter_map(|it| it.notification.traceparent()).peekable();
    if traced.peek().is_none() {
        return;
    }
    let span = tracing::info_span!(
        target: SPANS,
        parent: None,
        "receive",
        otel.name = format!("receive {queue}"),
        otel.kind = "client",
        messaging.system = "aws_sqs",
        messaging.operation.name = "receive",
        messaging.operation.type = "receive",
        messaging.destination.name = queue,
        messaging.batch.message_count = messages.len(),
    );
    traced.for_each(|traceparent| trace::link(&span, traceparent));
}

/// A span for the handler of a message, as a child of the span that sent the message.
pub fn process(queue: &str, message: &Received) -> Span {
    let span = tracing::info_span!(
        target: SPANS,
        parent: None,
        "process",
        otel.name = format!("process {queue}"),
        otel.kind = "consumer",
        messaging.system = "aws_sqs",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = queue,
        messaging.message.id = message.notification.message_id,
        messaging.aws_sqs.receive_count = message.lease.attempt,
    );
    trace::set_parent(&span, message.notification.traceparent());
    span
}
