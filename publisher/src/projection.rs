//! Projects what the workers report, and payments, onto the orders.

use anyhow::anyhow;
use orders::{
    measure,
    payment::{News, PaymentEvent},
    report::{Report, State},
};
use pubsub::{notification::Notification, subscribe::Failure};

use crate::{announcements::OrdersOutbox, live::Live, orders_table::OrdersTable};

/// What reports are projected onto.
#[derive(Clone)]
pub struct Projection {
    /// The orders.
    pub orders: OrdersTable,
    /// The orders that have viewers.
    pub live: Live,
    /// Announces orders again that nobody reports.
    pub outbox: OrdersOutbox,
}

impl Projection {
    /// Handles one message from the status queue.
    ///
    /// Any task of the publisher may receive it. If this task has viewers of the order, they see
    /// the change at once; other tasks find it in the table.
    pub async fn handle(self, news: News, message: Notification) -> Result<(), Failure> {
        match news {
            News::Report(report) => self.project(report, message).await,
            News::Payment(event) => self.pay(event).await,
        }
    }

    pub async fn project(self, report: Report, message: Notification) -> Result<(), Failure> {
        let id = report.order_id;
        let is_news = !message.is_caused_by_replay() || self.is_news(&report).await?;
        let projected = if is_news { self.orders.project(&report).await? } else { None };
        let Some(placed) = projected else {
            tracing::debug!(order.id = %id, "report ignored: duplicate or unknown order");
            return Ok(());
        };
        tracing::debug!(order.id = %id, order.version = placed.version, "report projected");
        if let Some(time) = placed.completed_by(&report) {
            measure::fulfilled_after(time);
        }
        if placed.due_at.is_none() {
            self.outbox.reported(&id.to_string(), placed.sent_at);
        }
        self.live.changed(placed);
        Ok(())
    }

    /// Whether the service was not done with the order before. A replay lets a service catch up,
    /// and changes nothing for one that was done, not even how long the order is kept.
    async fn is_news(&self, Report { order_id, service, .. }: &Report) -> anyhow::Result<bool> {
        let placed = self.orders.get(*order_id).await?;
        let mut reports = placed.iter().flat_map(|placed| &placed.reports);
        Ok(!reports.any(|it| it.service == *service && it.state == State::Done))
    }

    /// A payment for an order that there is not fails, so it becomes a dead letter: it may be for
    /// an order that is still to come, or somebody has to pay it back.
    pub async fn pay(self, event: PaymentEvent) -> Result<(), Failure> {
        let id = event.data.order_id;
        if let Some(placed) = self.orders.pay(&event).await? {
            tracing::debug!(order.id = %id, order.version = placed.version, "payment projected");
            self.live.changed(placed);
        } else if self.orders.get(id).await?.is_none() {
            return Err(Failure::Retry(anyhow!("a payment for {id}, which is no order here")));
        }
        Ok(())
    }
}
