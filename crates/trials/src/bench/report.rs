//! The result of a run: figures with their targets, curves, and the number of lost orders.

use std::fmt;

use serde::Serialize;

/// All figures of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The machine, as the figures hold only for it.
    pub machine: String,
    /// The profile of the binaries, and whether this was a quick run.
    pub kind: String,
    /// How long the run took.
    pub seconds: u64,
    /// The number of orders accepted in all measurements.
    pub accepted: u64,
    /// Accepted orders that were not stored, not announced or, if all services ran, not fulfilled.
    pub lost: u64,
    /// The figures, in the order in which they were measured.
    pub figures: Vec<Figure>,
    /// The curves of the plots.
    pub curves: Vec<Curve>,
    /// What was not measured, and why, as sentences without a full stop.
    pub skipped: Vec<String>,
}

/// A figure.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// The section of the report.
    pub section: &'static str,
    /// What was measured.
    pub name: String,
    /// The value.
    pub value: f64,
    /// The unit of the value.
    pub unit: &'static str,
    /// The target.
    pub target: Option<Target>,
    /// What limits it, and other details.
    pub note: String,
}

/// The target of a figure.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// How one quantity depends on another.
#[derive(Debug, Serialize)]
pub struct Curve {
    /// The title of the plot; curves with the same title share a plot.
    pub title: String,
    /// The label of this curve, if several share a plot.
    pub line: String,
    /// The horizontal axis.
    pub x: &'static str,
    /// The vertical axis.
    pub y: &'static str,
    /// The points, by ascending x.
    pub points: Vec<(f64, f64)>,
}

impl Report {
    /// A report without figures.
    pub fn new(quick: bool) -> Self {
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        let kind = if quick { ", quick run" } else { "" };
        Self {
            machine: machine(),
            kind: format!("{profile} build{kind}"),
            seconds: 0,
            accepted: 0,
            lost: 0,
            figures: Vec::new(),
            curves: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Adds a figure, and returns it to set its target and note.
    pub fn add(
        &mut self,
        section: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> &mut Figure {
        let (name, note) = (name.into(), String::new());
        self.figures.push(Figure { section, name, value, unit, target: None, note });
        let last = self.figures.len() - 1;
        &mut self.figures[last]
    }

    /// Adds a curve with its own plot.
    pub fn curve(
        &mut self,
        title: &str,
        x: &'static str,
        y: &'static str,
        points: Vec<(f64, f64)>,
    ) {
        self.curves.push(Curve { title: title.to_owned(), line: String::new(), x, y, points });
    }

    /// Notes what is not measured, and why.
    pub fn skip(&mut self, what: impl Into<String>) {
        self.skipped.push(what.into());
    }

    /// Sorts the figures by section, in the order in which the sections began.
    pub fn sort(&mut self) {
        let mut sections: Vec<_> = self.figures.iter().map(|figure| figure.section).collect();
        sections.dedup();
        self.figures.sort_by_key(|it| sections.iter().position(|section| *section == it.section));
    }

    /// The number of figures that miss their target.
    pub fn missed(&self) -> usize {
        self.figures.iter().filter(|figure| figure.reached() == Some(false)).count()
    }
}

impl Figure {
    /// Sets the target.
    pub fn target(&mut self, target: Target) -> &mut Self {
        self.target = Some(target);
        self
    }

    /// Sets the note.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.note = note.into();
        self
    }

    /// The value with its unit. Smaller values have more decimals.
    pub fn shown(&self) -> String {
        let digits = match self.value {
            value if value >= 100.0 => 0,
            value if value >= 10.0 => 1,
            _ => 2,
        };
        format!("{:.digits$} {}", self.value, self.unit).trim_end().to_owned()
    }

    /// Whether the figure reaches its target; `None` without one.
    pub fn reached(&self) -> Option<bool> {
        match self.target? {
            Target::AtLeast(limit) => Some(self.value >= limit),
            Target::AtMost(limit) => Some(self.value <= limit),
        }
    }

    /// The target, and whether it is reached; empty without a target.
    pub fn verdict(&self) -> String {
        let target = match self.target {
            None => return String::new(),
            Some(Target::AtLeast(limit)) => format!("at least {limit}"),
            Some(Target::AtMost(limit)) => format!("at most {limit}"),
        };
        let reached = self.reached() == Some(true);
        format!("{target}: {}", if reached { "reached" } else { "MISSED" })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; {}; {} s", self.machine, self.kind, self.seconds)?;
        let mut section = "";
        for figure in &self.figures {
            if figure.section != section {
                section = figure.section;
                writeln!(f, "\n{section}")?;
            }
            let (shown, verdict) = (figure.shown(), figure.verdict());
            let line = format!("  {:<56}{shown:>13}  {verdict:<24}{}", figure.name, figure.note);
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)?;
        for skipped in &self.skipped {
            writeln!(f, "not measured: {skipped}")?;
        }
        writeln!(f, "{} orders accepted, {} lost", self.accepted, self.lost)?;
        writeln!(f, "{} targets missed", self.missed())
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let system = std::env::consts::OS;
    let models = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = models.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model);
    format!("{cores} cores, {model}, {system}, shared with the endpoint and the load")
}
