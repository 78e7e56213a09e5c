//! The screen after the start: what runs, where to look, what to try.

use std::fmt;

use anstyle::Style;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::{Event, OURSELVES};

/// The message of the event that is shown as this screen.
pub const READY: &str = "ready";

/// What runs, and where.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Ready {
    /// Always [`READY`].
    pub message: String,
    /// The name of the application.
    pub application: String,
    /// Whether it takes orders.
    pub takes_orders: bool,
    /// The URL of the page.
    pub page: String,
    /// The URL of the AWS endpoint.
    pub aws: String,
    /// The URL of the console, if there is one.
    pub console: Option<String>,
    /// Whether this process is the AWS account.
    pub is_embedded: bool,
    /// The services that run.
    pub services: Vec<String>,
    /// Those that were left out, with the variables that they need.
    pub without: Vec<String>,
    /// Whether changed sources are built and replaced.
    pub watches: bool,
    /// What to type before a command of this program.
    pub command: String,
}

impl Ready {
    /// What an event of this program says is ready.
    pub fn of(event: &Event) -> Option<Self> {
        if event.service != OURSELVES || event.message != READY {
            return None;
        }
        let mut fields = event.fields.clone();
        fields.insert("message".to_owned(), READY.into());
        serde_json::from_value(Value::Object(fields)).ok()
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bold, dimmed) = (Style::new().bold(), Style::new().dimmed());
        let Self { page, aws, command, .. } = self;
        let account = if self.is_embedded { "an account in memory" } else { "AWS_ENDPOINT_URL" };
        writeln!(f)?;
        writeln!(f, "  {bold}page{bold:#}      {bold}{page}{bold:#}")?;
        if self.takes_orders {
            writeln!(f, "  {bold}orders{bold:#}    {page}/orders")?;
            writeln!(f, "  {bold}flow{bold:#}      {page}/flow")?;
        }
        if let Some(console) = &self.console {
            let what = format!("{dimmed}see it, steer it, break it{dimmed:#}");
            writeln!(f, "  {bold}console{bold:#}   {bold}{console}{bold:#}  {what}")?;
        }
        writeln!(f, "  {bold}AWS{bold:#}       {aws}  {dimmed}{account}{dimmed:#}")?;
        writeln!(f, "  {bold}services{bold:#}  {}", self.services.join(", "))?;
        if !self.without.is_empty() {
            writeln!(f, "  {bold}without{bold:#}   {}", self.without.join(", "))?;
        }
        writeln!(f)?;
        if self.takes_orders {
            writeln!(f, "  Send the order that the page suggests, or let this send some:")?;
            writeln!(f, "    {command}orders --rate 5 --for 1m")?;
        }
        if self.watches {
            writeln!(f, "  Save a source file or a manifest, and it takes effect.")?;
        }
        let data = if self.is_embedded { " and deletes all data" } else { "" };
        writeln!(f, "  Ctrl-C stops everything{data}.")?;
        writeln!(f)
    }
}
