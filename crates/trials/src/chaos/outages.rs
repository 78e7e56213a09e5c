//! `trials chaos --outages`: a part of AWS fails for a while, and everything goes on afterwards.
//!
//! Each cell of the table is one outage: a dependency that fails in one way, on an account of its
//! own, while orders come in. In its middle, one process of each service is killed. Afterwards
//! every accepted order has to be fulfilled and shown so, with its coupon, within the length of the
//! outage, and no message may be a dead letter. Nobody helps: nothing is redriven.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use local::{build, guard};
use pubsub::shutdown::{self, Signals};
use tokio::{task::JoinSet, time::Instant};

mod cells;

mod trial;

mod verdict;

mod row;

mod credentials;

mod load;

mod ledger;

mod journal;

mod watch;

mod board;

mod report;

mod plot;

use board::Board;
use cells::Cell;
use report::Report;
use row::Row;

use super::options::Options;

/// What the cells share.
struct Table {
    seed: u64,
    options: Options,
    binaries: PathBuf,
    board: Board,
    waiting: Mutex<VecDeque<Cell>>,
    rows: Mutex<BTreeMap<Cell, Row>>,
}

/// Runs the cells, prints the table, and writes it as JSON. Fails if a cell breaks a promise.
///
/// # Errors
///
/// [`Misconfigured`](pubsub::env::Misconfigured) if no cell has the wanted name. Otherwise if the
/// services do not build, or the results cannot be written.
pub async fn run(seed: u64, options: &Options) -> anyhow::Result<ExitCode> {
    let cells = Cell::chosen(&options.only)?;
    let binaries = build::binaries().await?;
    create(&options.output)?;
    let Signals { asked, .. } = shutdown::signals()?;
    let started = Instant::now();
    let count = cells.len();
    let table = Arc::new(Table {
        seed,
        options: options.clone(),
        binaries,
        board: Board::new(count),
        waiting: Mutex::new(cells.into()),
        rows: Mutex::default(),
    });
    let side_by_side = options.side_by_side().min(count);
    table.board.print(&format!(
        "{count} cells, {side_by_side} at a time: {} s of outage at {} orders a second\n",
        options.seconds, options.rate
    ));
    // Dropping the set ends the cells, and what they started.
    let mut workers = JoinSet::new();
    for _ in 0..side_by_side {
        let table = Arc::clone(&table);
        workers.spawn(async move { table.work().await });
    }
    let all = async { while workers.join_next().await.is_some() {} };
    let finished = async {
        tokio::select! {
            () = all => {}
            () = table.board.show() => {}
        }
    };
    let is_finished = asked.run_until_cancelled(finished).await.is_some();
    workers.shutdown().await;
    guard::dismiss();

    let rows = std::mem::take(&mut *lock(&table.rows)).into_values().collect();
    let report = Report::new(options, count, started.elapsed().as_secs(), rows);
    table.board.print(&format!("\n{report}\n"));
    report.write()?;
    Ok(if !is_finished {
        ExitCode::from(shutdown::INTERRUPTED)
    } else if report.is_kept() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Table {
    /// Runs one cell after the other while there are any.
    async fn work(&self) {
        let next = || lock(&self.waiting).pop_front();
        while let Some(cell) = next() {
            let row = self.row(cell).await.unwrap_or_else(|error| {
                let broken = vec![format!("the cell could not be completed: {error:#}")];
                Row { cell: cell.to_string(), broken, ..Row::default() }
            });
            self.board.finished(cell, &row.summary());
            lock(&self.rows).insert(cell, row);
        }
    }

    async fn row(&self, cell: Cell) -> anyhow::Result<Row> {
        let Self { seed, options, binaries, board, .. } = self;
        let outcome = trial::run(cell, *seed, options, binaries, board).await?;
        let file = options.output.join(outcome.row.file()).with_extension("svg");
        let svg = plot::plot(&outcome.row.cell, &outcome.course)?;
        std::fs::write(&file, svg).with_context(|| format!("writing {}", file.display()))?;
        Ok(outcome.row)
    }
}

fn create(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))
}

/// The data behind a poisoned lock is right: code that holds one does not panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
