//! Prints the services' lines, each after its service's name: in colour on a terminal, plain in a
//! pipe.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use local::process::Line;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// The way to the printer.
pub type Lines = UnboundedSender<Line>;

/// Whose lines are our own.
const OURSELVES: &str = "local";
/// As wide as the longest name of a service.
const WIDTH: usize = 10;
/// One each for the services, in the order of their first lines.
const COLOURS: [AnsiColor; 5] =
    [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Blue, AnsiColor::Green];

/// Prints until nobody can send any more.
pub async fn print(mut lines: UnboundedReceiver<Line>) {
    let mut services: Vec<String> = Vec::new();
    let mut output = anstream::stdout();
    while let Some(Line { service, text }) = lines.recv().await {
        let known = services.iter().position(|known| *known == service);
        let index = known.unwrap_or_else(|| {
            services.push(service.clone());
            services.len() - 1
        });
        let style = if service == OURSELVES {
            Style::new().bold()
        } else {
            COLOURS[index % COLOURS.len()].on_default()
        };
        // Who closes the pipe wants no more lines; the services go on until they are stopped.
        let _ = writeln!(output, "{style}{service:>WIDTH$} |{style:#} {text}");
    }
}

/// Prints a line of our own, after all lines that came before.
pub fn say(lines: &Lines, text: String) {
    let service = OURSELVES.to_owned();
    let _ = lines.send(Line { service, text });
}
