//! One scan, from the message to the verdict.

use jiff::{Timestamp, tz::Offset};
use pubsub::{
    notification::Notification,
    subscribe::{Failure, Handler, Json},
    topic::Topic,
    unavailable::Unavailable,
};
use receipts::{Picture, Stored, Verdict, check::verdict};

use crate::{
    attempt::Attempt,
    pictures::Pictures,
    textract::{Refused, Textract},
};

/// The handler of the scanner.
pub struct Scanner {
    /// Where the pictures are.
    pub pictures: Pictures,
    /// What reads them.
    pub textract: Textract,
    /// Where progress and verdicts go.
    pub progress: Topic,
}

/// Scans a receipt. It is idempotent: its only effect is the verdict, of which the first one stays.
///
/// Cancelling a receipt deletes its picture. So the scan ends when the picture is gone, at the
/// latest a second later.
impl Handler<Json<Stored>> for Scanner {
    async fn handle(
        &self,
        Json(Stored { id, picture }): Json<Stored>,
        notification: Notification,
    ) -> Result<(), Failure> {
        let mut attempt = Attempt::begin(id, &self.progress, &notification);
        let scanned = tokio::select! {
            scanned = self.scan(&picture, &mut attempt) => scanned,
            () = self.pictures.gone(&picture) => Err(Refused::Gone),
        };
        let verdict = match scanned {
            Ok(verdict) => verdict,
            Err(Refused::Gone) => Verdict::Cancelled,
            Err(Refused::Unreadable(why)) => Verdict::Rejected(why),
            Err(Refused::Failed(error)) => {
                attempt.held_up(&held_up(&error)).await;
                return Err(error.into());
            }
        };
        tracing::info!(receipt.id = %id, verdict = verdict.name(), "receipt scanned");
        Ok(attempt.end(verdict).await?)
    }
}

impl Scanner {
    async fn scan(&self, picture: &Picture, attempt: &mut Attempt) -> Result<Verdict, Refused> {
        attempt.reached("reading", 20).await;
        let document = self.pictures.document(picture).await?;
        let reading = self.textract.read(document).await?;
        let (count, plural) =
            (reading.lines.len(), if reading.lines.len() == 1 { "" } else { "s" });
        attempt.reached(&format!("found {count} line{plural}"), 70).await;
        let verdict = verdict(reading, Offset::UTC.to_datetime(Timestamp::now()).date());
        attempt.reached("checked", 90).await;
        Ok(verdict)
    }
}

/// Why a receipt waits, for the person who sent it.
fn held_up(error: &anyhow::Error) -> String {
    if Unavailable::caused(error) {
        let cause = error.root_cause();
        return format!(
            "The scan has to wait: {cause}. Your receipt is safe, and is read after that."
        );
    }
    "The scan failed. It is tried again; your receipt is safe.".to_owned()
}
