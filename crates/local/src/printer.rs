//! Prints the services' log lines, each with its service's name: in colour on a terminal, plain in
//! a pipe.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use local::process::Line;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// The channel to the printer.
pub type Lines = UnboundedSender<Line>;

/// The name for lines of this program.
const OURSELVES: &str = "local";
/// The width of the names.
const WIDTH: usize = 10;
/// The colours of the services, in the order of their first lines.
const COLOURS: [AnsiColor; 5] =
    [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Blue, AnsiColor::Green];

/// Prints until all senders are gone.
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
        // If the pipe was closed, the services go on until they are stopped.
        let _ = writeln!(output, "{style}{service:>WIDTH$} |{style:#} {text}");
    }
}

/// Prints a line of this program, after all earlier lines.
pub fn say(lines: &Lines, text: String) {
    let service = OURSELVES.to_owned();
    let _ = lines.send(Line { service, text });
}
