//! The cells of the table: what fails, and in which way.

use std::fmt;

use account::{
    provision::Account,
    proxy::{Calls, Outage, Way},
};
use anyhow::Context as _;
use deployment::description::Kind;
use orders::event::ORDERS_TOPIC;
use pubsub::env::Misconfigured;

/// A row of the table: an outage, or fair weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell(pub Option<(Dependency, Way)>);

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependency {
    /// Announcing orders.
    OrdersTopic,
    /// The workers' reports.
    StatusTopics,
    /// Receiving from any queue.
    Receive,
    /// Deleting from any queue.
    Delete,
    /// Everything that the publisher stores.
    OrdersTable,
    /// The coupons of promotion.
    CouponsTable,
    /// Where a task gets its credentials.
    Credentials,
    /// Connections to AWS: its names, the network.
    Connect,
    /// All of it.
    Everything,
}

const DEPENDENCIES: [(Dependency, &str); 9] = [
    (Dependency::OrdersTopic, "orders-topic"),
    (Dependency::StatusTopics, "status-topics"),
    (Dependency::Receive, "sqs-receive"),
    (Dependency::Delete, "sqs-delete"),
    (Dependency::OrdersTable, "orders-table"),
    (Dependency::CouponsTable, "coupons-table"),
    (Dependency::Credentials, "credentials"),
    (Dependency::Connect, "connect"),
    (Dependency::Everything, "everything"),
];

impl Cell {
    /// The cell without an outage, which the others are compared with.
    pub const FAIR: Self = Self(None);

    /// The cells whose names contain one of these parts, or all; the first one has fair weather.
    ///
    /// # Errors
    ///
    /// If no cell has such a name.
    pub fn chosen(parts: &[String]) -> Result<Vec<Self>, Misconfigured> {
        let wanted = |name: &str| parts.is_empty() || parts.iter().any(|it| name.contains(&**it));
        let cells: Vec<_> = Self::outages().filter(|cell| wanted(&cell.to_string())).collect();
        if cells.is_empty() {
            let names: Vec<_> = Self::outages().map(|cell| cell.to_string()).collect();
            return Err(Misconfigured(format!(
                "no cell is called {}; there are {}",
                parts.join(" or "),
                names.join(", ")
            )));
        }
        Ok([Self::FAIR].into_iter().chain(cells).collect())
    }

    /// Every outage that makes sense, row by row.
    pub fn outages() -> impl Iterator<Item = Self> {
        let all =
            DEPENDENCIES.into_iter().flat_map(|(what, _)| Way::ALL.map(|(way, _)| (what, way)));
        all.filter(|(what, way)| left_out(*what, *way).is_none()).map(|outage| Self(Some(outage)))
    }

    /// Whether the outage meets calls or connections that can be counted. A refused connection
    /// reaches nobody.
    pub fn is_counted(self) -> bool {
        self.0.is_some_and(|(_, way)| way != Way::Refused)
    }

    /// The outages of the endpoint, and those of the credentials.
    ///
    /// # Errors
    ///
    /// If the account lacks a topic or a table.
    pub fn weather(self, account: &Account) -> anyhow::Result<(Vec<Outage>, Vec<Outage>)> {
        let Some((what, way)) = self.0 else { return Ok(Default::default()) };
        let of = what.calls(account)?;
        let aws = match what {
            Dependency::Connect => vec![way.of_connections()],
            Dependency::Everything if way == Way::Refused => vec![way.of_connections()],
            _ if of.is_empty() => Vec::new(),
            _ => vec![way.of_calls(of)],
        };
        let credentials = match what {
            Dependency::Credentials | Dependency::Everything if way == Way::Refused => {
                vec![way.of_connections()]
            }
            Dependency::Credentials | Dependency::Everything => {
                vec![way.of_calls(vec![Calls::default()])]
            }
            _ => Vec::new(),
        };
        Ok((aws, credentials))
    }
}

/// Why a cell is left out; `None` if it is not.
pub fn left_out(what: Dependency, way: Way) -> Option<&'static str> {
    match (what, way) {
        (Dependency::Connect | Dependency::Credentials | Dependency::Everything, Way::Refused) => {
            None
        }
        (_, Way::Refused) => Some(
            "a topic, a table or an operation has no endpoint of its own that could refuse a \
             connection; connect/refused refuses them for all",
        ),
        (
            Dependency::Connect,
            Way::ServerError | Way::Throttled | Way::AnswerLost | Way::Denied,
        ) => Some("it would need an answer, and a connection that fails has none"),
        (Dependency::Credentials, Way::AnswerLost) => {
            Some("reading credentials has no effect, so this would be the same as reset")
        }
        _ => None,
    }
}

impl Dependency {
    /// The calls to it.
    fn calls(self, account: &Account) -> anyhow::Result<Vec<Calls>> {
        let calls = |operation: &str, mentions: &str| {
            vec![Calls { operation: operation.to_owned(), mentions: mentions.to_owned() }]
        };
        let service = |name| account.service(name).with_context(|| format!("there is no {name}"));
        Ok(match self {
            Self::OrdersTopic => {
                calls("SNS.", name(service("publisher")?.topic_arn(ORDERS_TOPIC)?))
            }
            Self::StatusTopics => {
                let workers = account.services.iter().filter(|it| it.kind == Kind::Worker);
                let topics = workers.flat_map(|worker| worker.topics.values());
                topics.flat_map(|arn| calls("SNS.", name(arn))).collect()
            }
            Self::Receive => calls("SQS.ReceiveMessage", ""),
            Self::Delete => calls("SQS.DeleteMessage", ""),
            Self::OrdersTable => {
                calls("DynamoDB.", service("publisher")?.variable("ORDERS_TABLE_NAME")?)
            }
            Self::CouponsTable => {
                calls("DynamoDB.", service("promotion")?.variable("COUPONS_TABLE_NAME")?)
            }
            Self::Credentials | Self::Connect => Vec::new(),
            Self::Everything => calls("", ""),
        })
    }
}

/// The name of a topic. A request contains the ARN with its colons encoded.
fn name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.pad("fair weather"),
            Some((what, way)) => f.pad(&format!("{what}/{way}")),
        }
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DEPENDENCIES.iter().find(|(it, _)| it == self).map_or("", |(_, name)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_cell_that_is_not_left_out_for_a_reason() {
        let names: Vec<_> = Cell::outages().map(|cell| cell.to_string()).collect();
        assert_eq!(names.len(), 70);
        assert!(names.contains(&"orders-topic/denied".to_owned()), "{names:?}");
        assert!(names.contains(&"everything/refused".to_owned()), "{names:?}");
        assert!(!names.contains(&"coupons-table/refused".to_owned()), "{names:?}");
    }

    #[test]
    fn a_part_of_the_name_chooses_cells_and_fair_weather_is_always_with_them() {
        let chosen = |part: &str| Cell::chosen(&[part.to_owned()]);
        assert_eq!(chosen("connect/").unwrap().len(), 6);
        let both = chosen("everything/denied").unwrap();
        assert_eq!(
            both.iter().map(Cell::to_string).collect::<Vec<_>>(),
            ["fair weather", "everything/denied"]
        );
        assert!(chosen("rain").unwrap_err().to_string().contains("there are orders-topic/5xx"));
    }
}
