//! What a person sees: one screen after the start, and then one line for each event.
//!
//! A thread of its own prints, so that a terminal that is not read, as after Ctrl-S, holds up
//! nothing but the lines.

use std::{
    io::{IsTerminal as _, Write},
    thread,
    time::Duration,
};

use local::process::Line;
use serde_json::{Value, json};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    time::timeout,
};

mod event;

mod line;

mod screen;

use event::{Event, Level, OURSELVES};
pub use screen::{READY, Ready};

/// How long the last lines may take. A terminal that is read takes them in milliseconds.
const LAST_LINES: Duration = Duration::from_secs(2);

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A line for each event, for a person.
    Text {
        /// Only warnings and errors, and what this program says itself.
        quiet: bool,
    },
    /// A JSON object for each event, for a program.
    Json,
}

/// The channel to the thread that prints.
#[derive(Clone, Debug)]
pub struct Lines(pub UnboundedSender<Line>);

impl Lines {
    /// The same, and all that is printed is shown to `also` too, even if the terminal is not read.
    pub fn shown_to(self, also: impl Fn(&Line) + Send + 'static) -> Self {
        let (sender, mut received) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(line) = received.recv().await {
                also(&line);
                let _ = self.0.send(line);
            }
        });
        Self(sender)
    }
}

/// The thread that prints.
pub struct Terminal {
    lines: Lines,
    finished: oneshot::Receiver<()>,
}

impl Terminal {
    /// Starts to print on standard output.
    pub fn start(style: Style) -> Self {
        let (lines, received) = unbounded_channel();
        let (finish, finished) = oneshot::channel();
        thread::spawn(move || {
            print(received, style);
            let _ = finish.send(());
        });
        Self { lines: Lines(lines), finished }
    }

    /// The channel to it.
    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Waits until everything is printed, once all channels are dropped. It gives up on a terminal
    /// that is not read.
    pub async fn finish(self) {
        drop(self.lines);
        let _ = timeout(LAST_LINES, self.finished).await;
    }
}

impl Lines {
    /// Prints a line of this program, after all earlier lines.
    pub fn say(&self, text: impl Into<String>) {
        self.event(&json!({ "message": text.into() }));
    }

    /// The same for something that a person should look at.
    pub fn warn(&self, text: impl Into<String>) {
        self.event(&json!({ "level": "WARN", "message": text.into() }));
    }

    /// Prints an event of this program: an object with a `message`.
    pub fn event(&self, event: &Value) {
        let service = OURSELVES.to_owned();
        let _ = self.0.send(Line { service, text: event.to_string() });
    }
}

fn print(mut lines: UnboundedReceiver<Line>, style: Style) {
    let mut output = anstream::stdout();
    let is_terminal = std::io::stdout().is_terminal();
    while let Some(line) = lines.blocking_recv() {
        let event = Event::read(&line);
        let columns = is_terminal.then(columns).flatten();
        // If the pipe was closed, the services go on until they are stopped.
        let _ = write(&mut output, event, style, columns);
    }
}

fn write(
    output: &mut impl Write,
    event: Event,
    style: Style,
    columns: Option<usize>,
) -> std::io::Result<()> {
    match style {
        Style::Json => writeln!(output, "{}", event.into_json())?,
        Style::Text { quiet } => {
            if let Some(ready) = Ready::of(&event) {
                write!(output, "{ready}")?;
            } else if !quiet || event.level <= Level::Warn || event.service == OURSELVES {
                write!(output, "{}", line::text(&event, columns))?;
            }
        }
    }
    output.flush()
}

/// The width of the terminal, which may change at any time.
fn columns() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| width.0.into())
}

#[cfg(test)]
mod tests;
