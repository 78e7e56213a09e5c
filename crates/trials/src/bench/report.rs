//! What a run came to: figures with their targets, curves, and how many orders were lost.

use std::fmt;

use serde::Serialize;

/// All figures of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The machine, since its figures hold for no other.
    pub machine: String,
    /// The profile of the binaries, and whether this was a smoke test.
    pub kind: String,
    /// How long the run took.
    pub seconds: u64,
    /// Orders that were accepted, by all loads together.
    pub accepted: u64,
    /// Those of them that were then not stored, announced or, with all services, fulfilled.
    pub lost: u64,
    /// In the order in which they were measured.
    pub figures: Vec<Figure>,
    /// For the plots.
    pub curves: Vec<Curve>,
}

/// A figure.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What it belongs to.
    pub section: &'static str,
    /// What was measured.
    pub name: String,
    /// How much it is.
    pub value: f64,
    /// In what.
    pub unit: &'static str,
    /// What it has to reach.
    pub target: Option<Target>,
    /// What limits it, or what else there is to know.
    pub note: String,
}

/// What a figure has to reach.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// How one thing depends on another.
#[derive(Debug, Serialize)]
pub struct Curve {
    /// The heading of the plot; curves with the same one share it.
    pub title: String,
    /// Which of them this is, if there are several.
    pub line: String,
    /// The horizontal axis.
    pub x: &'static str,
    /// The vertical axis.
    pub y: &'static str,
    /// In ascending order of x.
    pub points: Vec<(f64, f64)>,
}

impl Report {
    /// A report without figures.
    pub fn new(quick: bool) -> Self {
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        let kind = if quick { ", a smoke test" } else { "" };
        Self {
            machine: machine(),
            kind: format!("{profile} build{kind}"),
            seconds: 0,
            accepted: 0,
            lost: 0,
            figures: Vec::new(),
            curves: Vec::new(),
        }
    }

    /// Adds a figure; what is known beside its value can be set on what this returns.
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

    /// Adds a curve that has its plot to itself.
    pub fn curve(
        &mut self,
        title: &str,
        x: &'static str,
        y: &'static str,
        points: Vec<(f64, f64)>,
    ) {
        self.curves.push(Curve { title: title.to_owned(), line: String::new(), x, y, points });
    }

    /// Puts the figures of a section together, in the order in which the sections began.
    pub fn sort(&mut self) {
        let mut sections: Vec<_> = self.figures.iter().map(|figure| figure.section).collect();
        sections.dedup();
        self.figures.sort_by_key(|it| sections.iter().position(|section| *section == it.section));
    }

    /// How many figures do not reach their target.
    pub fn missed(&self) -> usize {
        self.figures.iter().filter(|figure| figure.reached() == Some(false)).count()
    }
}

impl Figure {
    /// Says what it has to reach.
    pub fn target(&mut self, target: Target) -> &mut Self {
        self.target = Some(target);
        self
    }

    /// Says what limits it.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.note = note.into();
        self
    }

    /// The value with its unit: more digits, the smaller it is.
    pub fn shown(&self) -> String {
        let digits = match self.value {
            value if value >= 100.0 => 0,
            value if value >= 10.0 => 1,
            _ => 2,
        };
        format!("{:.digits$} {}", self.value, self.unit).trim_end().to_owned()
    }

    /// Whether it reaches its target, if it has one.
    pub fn reached(&self) -> Option<bool> {
        match self.target? {
            Target::AtLeast(limit) => Some(self.value >= limit),
            Target::AtMost(limit) => Some(self.value <= limit),
        }
    }

    /// The target, and whether it is reached; empty without one.
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
            let line = format!("  {:<54}{shown:>13}  {verdict:<24}{}", figure.name, figure.note);
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f, "\n{} orders accepted, {} lost", self.accepted, self.lost)?;
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
