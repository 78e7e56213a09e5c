//! Shows how far the cells are: on a terminal one line that changes, elsewhere a line now and then.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use terminal_size::{Width, terminal_size};
use tokio::time::{Instant, interval};

use super::cells::Cell;

const TERMINAL_INTERVAL: Duration = Duration::from_secs(1);
const FILE_INTERVAL: Duration = Duration::from_secs(60);
/// Back to the first column, and delete the line.
const CLEAR: &str = "\r\u{1b}[2K";

/// What each running cell does, and how many are finished.
pub struct Board {
    state: Mutex<State>,
    cells: usize,
    is_terminal: bool,
    started: Instant,
}

#[derive(Default)]
struct State {
    running: BTreeMap<Cell, (&'static str, Option<Instant>)>,
    finished: usize,
}

impl Board {
    /// For this number of cells.
    pub fn new(cells: usize) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        Self { state: Mutex::default(), cells, is_terminal, started: Instant::now() }
    }

    /// Notes what a cell does now and, if that is known, until when.
    pub fn phase(&self, cell: Cell, phase: &'static str, until: Option<Instant>) {
        self.state(|state| state.running.insert(cell, (phase, until)));
    }

    /// Notes that a cell is finished, and prints its row.
    pub fn finished(&self, cell: Cell, row: &str) {
        self.state(|state| {
            state.running.remove(&cell);
            state.finished += 1;
        });
        self.print(&format!("{row}\n"));
    }

    /// Shows the progress until it is dropped.
    pub async fn show(&self) {
        let mut ticks = interval(if self.is_terminal { TERMINAL_INTERVAL } else { FILE_INTERVAL });
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let mut line = self.line();
            if let Some((Width(columns), _)) = terminal_size().filter(|_| self.is_terminal) {
                // A line that wraps could not be deleted.
                line.truncate(usize::from(columns).saturating_sub(1));
            } else {
                line.push('\n');
            }
            self.print(&line);
        }
    }

    /// Prints over the line that changes.
    pub fn print(&self, text: &str) {
        let mut output = std::io::stdout().lock();
        let clear = if self.is_terminal { CLEAR } else { "" };
        // If nobody reads it, the cells go on.
        let _ = write!(output, "{clear}{text}").and_then(|()| output.flush());
    }

    fn line(&self) -> String {
        let now = Instant::now();
        self.state(|state| {
            let running = state.running.iter().map(|(cell, (phase, until))| match until {
                Some(until) => format!("{cell} {phase} {} s", (*until - now).as_secs()),
                None => format!("{cell} {phase}"),
            });
            let running = running.collect::<Vec<_>>().join(", ");
            let seconds = self.started.elapsed().as_secs();
            format!("{seconds} s: {} of {} cells; {running}", state.finished, self.cells)
        })
    }

    fn state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Code that holds the lock cannot panic.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
