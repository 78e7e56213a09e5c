//! A worker on ruststream, as its documentation writes one. Its handler does nothing: it takes raw
//! bytes, without a codec. As many run at once as our runtime has messages in flight.

use ruststream_sqs_sns::prelude::*;

/// The default of our own workers.
const IN_FLIGHT: usize = 100;

/// The body of a message, unread.
#[derive(Deserialized)]
struct Body<'a>(&'a [u8]);

/// Acknowledges every message.
#[subscriber(SqsQueue::new(queue()), workers(IN_FLIGHT))]
async fn nothing(body: &Body<'_>) -> HandlerOutcome {
    let _ = body.0;
    HandlerOutcome::ack()
}

fn queue() -> String {
    std::env::var("QUEUE_URL").expect("QUEUE_URL is the URL of a queue")
}

#[app]
fn app() -> impl App {
    RustStream::new(AppInfo::new("peer", "0.1.0")).with_broker(SqsBroker::new(), |broker| {
        broker.include(nothing);
    })
}
