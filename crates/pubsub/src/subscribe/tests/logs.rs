//! What an operator reads of messages that fail.

use std::io;

use tracing::subscriber::{DefaultGuard, set_default, set_global_default};
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::subscribe::{
    UnknownType,
    handler::{FromMessage, Typed},
};

/// The lines that this thread logs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn captured() -> (Self, DefaultGuard) {
        // Without one for all threads, what another test logs first is off for this one too.
        let _ = set_global_default(tracing_subscriber::registry());
        let lines = Self::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone());
        (lines.clone(), set_default(subscriber.finish()))
    }

    /// The lines with `fragment`.
    fn with(&self, fragment: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(fragment)).map(str::to_owned).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn each_failure_is_logged_with_its_reason_and_what_comes_next() {
    let (lines, _guard) = Lines::captured();
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let subscription = start(&sqs, settings(), async |_| Err(retry())).await;
    subscription.until_empty().await;
    let failed = lines.with("handler failed");
    assert_eq!(failed.len(), 3, "{failed:#?}");
    for (line, next) in failed.iter().zip(["retried", "retried", "no retries left"]) {
        for part in [next, "message.id=a", "reason=\"later\""] {
            assert!(line.contains(part), "no {part} in {line}");
        }
    }
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_fails_for_minutes_is_logged_now_and_then() {
    let (lines, _guard) = Lines::captured();
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    sqs.inject_fault(DELETE, usize::MAX, Fault::Denied);
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(150)).await;
    let failed = lines.with("delete failed; it will be retried");
    let (calls, logged) = (sqs.calls(DELETE), failed.len());
    assert!((2..=calls / 10).contains(&logged), "{logged} lines for {calls} calls: {failed:#?}");
    sqs.clear_fault(DELETE);
    subscription.until_empty().await;
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_reason_tells_a_panic_from_a_deadline() {
    let (lines, _guard) = Lines::captured();
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let subscription = start(&sqs, settings(), async |notification| match notification.attempt {
        1 => panic!("by the test"),
        2 => work_for(seconds(1_000)).await,
        _ => Ok(()),
    })
    .await;
    subscription.until_empty().await;
    let failed = lines.with("handler failed");
    let [panicked, late] = &failed[..] else { panic!("{failed:#?}") };
    assert!(panicked.contains("reason=\"the handler panicked\""), "{panicked}");
    assert!(late.contains("reason=\"timed out after 25 s\""), "{late}");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_logged_when_it_begins_and_when_it_is_over_and_once_for_each_message() {
    let (lines, _guard) = Lines::captured();
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    sqs.send("b");
    let until = Instant::now() + seconds(300);
    let subscription = start(&sqs, settings(), move |_| async move {
        if Instant::now() < until { Err(Failure::Unavailable(anyhow!("away"))) } else { Ok(()) }
    })
    .await;
    subscription.until_empty().await;
    for (fragment, times) in [
        ("dependencies are unavailable; not receiving messages", 1),
        ("a dependency is unavailable; the message is kept and retried", 2),
        ("dependencies are available again", 1),
    ] {
        let logged = lines.with(fragment);
        assert_eq!(logged.len(), times, "{logged:#?}");
    }
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_logged() {
    let (lines, _guard) = Lines::captured();
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let patient = Settings { handler_deadline: seconds(300), ..settings() };
    let subscription = start(&sqs, patient, |_| work_for(seconds(100))).await;
    sleep(seconds(1)).await;
    sqs.steal("a");
    sleep(seconds(60)).await;
    let lost = lines.with("lease lost; handler cancelled");
    assert!(matches!(&lost[..], [line] if line.contains("message.id=a")), "{lost:#?}");
    subscription.end().await;
}

/// What no message is.
struct Never;

impl FromMessage for Never {
    fn from_message(_: &Notification) -> anyhow::Result<Self> {
        Err(UnknownType("order.painted".to_owned()).into())
    }
}

#[tokio::test]
async fn messages_of_unknown_types_are_logged_ever_more_seldom() {
    let (lines, _guard) = Lines::captured();
    let handler = Typed::new(|_: Never, _| async { Ok(()) });
    for _ in 0..8 {
        handler.call(Notification::default()).await.unwrap();
    }
    let ignored = lines.with("ignored: unknown type");
    assert_eq!(ignored.len(), 4, "{ignored:#?}");
    for (line, count) in ignored.iter().zip([1, 2, 4, 8]) {
        let part = format!("type=\"order.painted\" count={count}");
        assert!(line.ends_with(&part), "no {part} in {line}");
    }
}
