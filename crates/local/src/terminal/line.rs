//! An event as a line: time, service, what happened, the order, the other facts.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::event::{Event, Level, OURSELVES};

/// The field that says which order an event concerns.
const ORDER: &str = "order.id";
/// The last field, because it is long and seldom of interest.
const TRACE: &str = "trace_id";
/// The width of the names.
const NAME: usize = 10;
/// What a line begins with that belongs to the event above it: as wide as time and name.
const INDENT: &str = "                          ";
const COLOURS: [AnsiColor; 4] =
    [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Blue];

/// The event as one line, or more if its message has more. With `columns`, lines are cut there, but
/// not what this program says, such as a compiler's errors and variables to copy.
pub fn text(event: &Event, columns: Option<usize>) -> String {
    let is_ours = event.service == OURSELVES;
    let columns = columns.filter(|_| !is_ours);
    let time = event.at.to_zoned_datetime(TimeZone::system()).strftime("%H:%M:%S%.3f").to_string();
    let mut line = Cut::to(columns);
    line.push(Style::new().dimmed(), &time);
    line.push(Style::new(), "  ");
    line.push(colour(&event.service), &format!("{:<NAME$}", event.service));
    line.push(Style::new(), "  ");
    if let Some(style) = alarm(event.level) {
        line.push(style, event.level.name());
        line.push(Style::new(), " ");
    }
    let mut message = event.message.split('\n');
    let id = event.fields.get(ORDER).map_or(String::new(), |id| format!(" {}", value(id)));
    line.push_before(message.next().unwrap_or_default(), &id);
    line.push(Style::new(), &id);
    let (last, others): (Vec<_>, Vec<_>) =
        event.fields.iter().partition(|(name, _)| *name == TRACE);
    for (name, fact) in others.into_iter().chain(last).filter(|(name, _)| *name != ORDER) {
        line.push(Style::new().dimmed(), &format!(" {name}={}", value(fact)));
    }
    let mut text = line.end();
    for more in message.map(str::trim_end).filter(|more| is_ours || !more.is_empty()) {
        if is_ours {
            text += &format!("{more}\n");
            continue;
        }
        let mut line = Cut::to(columns);
        line.push(Style::new(), INDENT);
        line.push(Style::new(), more);
        text += &line.end();
    }
    text
}

/// The colour of a name, which is the same in every run.
fn colour(service: &str) -> Style {
    if service == OURSELVES {
        return Style::new().bold();
    }
    let hash =
        service.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let index = usize::try_from(hash).unwrap_or_default() % COLOURS.len();
    COLOURS[index].on_default()
}

fn alarm(level: Level) -> Option<Style> {
    match level {
        Level::Error => Some(AnsiColor::Red.on_default().bold()),
        Level::Warn => Some(AnsiColor::Yellow.on_default()),
        Level::Info => None,
    }
}

/// A fact as text, in quotes if it is not one word.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.contains(char::is_whitespace) => {
            format!("{text:?}")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A line that ends with … where it would be too wide.
struct Cut {
    text: String,
    left: Option<usize>,
    is_full: bool,
}

impl Cut {
    fn to(columns: Option<usize>) -> Self {
        Self { text: String::new(), left: columns, is_full: false }
    }

    /// Adds text. Control characters are escaped, because a terminal would obey them.
    fn push(&mut self, style: Style, text: &str) {
        if self.is_full {
            return;
        }
        let _ = write!(self.text, "{style}");
        for character in text.chars() {
            if character.is_control() {
                self.add(&character.escape_default().to_string());
            } else {
                self.add(character.encode_utf8(&mut [0; 4]));
            }
        }
        let _ = write!(self.text, "{style:#}");
    }

    /// Adds a text, shortened so that `next` has its place after it.
    fn push_before(&mut self, text: &str, next: &str) {
        let room = self.left.map_or(usize::MAX, |left| left.saturating_sub(next.width() + 1));
        if text.width() <= room || next.is_empty() {
            return self.push(Style::new(), text);
        }
        let mut short = Self::to(Some(room));
        short.push(Style::new(), text);
        self.push(Style::new(), &short.text);
    }

    fn add(&mut self, piece: &str) {
        let width: usize = piece.chars().map(|it| it.width().unwrap_or(0)).sum();
        match &mut self.left {
            _ if self.is_full => {}
            // The last column is for the mark.
            Some(left) if width >= *left => {
                self.text.push('…');
                self.is_full = true;
            }
            Some(left) => {
                *left -= width;
                self.text.push_str(piece);
            }
            None => self.text.push_str(piece),
        }
    }

    fn end(mut self) -> String {
        self.text.push('\n');
        self.text
    }
}
