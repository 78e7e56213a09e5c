//! The processes of the services, as who runs them shows them, and what a person wants of them.

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot, watch};

/// The most processes that a service may be scaled to.
pub const MAX_TASKS: usize = 10;

/// The processes, for the console. Its clones are the same.
#[derive(Clone, Debug)]
pub struct Processes {
    tasks: watch::Receiver<Vec<Task>>,
    wishes: mpsc::Sender<Wish>,
}

/// The other end, for who runs them.
#[derive(Debug)]
pub struct Supervisor {
    /// What runs.
    pub tasks: watch::Sender<Vec<Task>>,
    /// What is wanted.
    pub wishes: mpsc::Receiver<Wish>,
}

/// A process of a service, or a place for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name: that of the service, with a number from the second process on.
    pub name: String,
    /// The service.
    pub service: String,
    /// Whether there may be several of it.
    pub is_worker: bool,
    /// What it does.
    pub state: State,
    /// Its process id, if it runs.
    pub pid: Option<i32>,
    /// How often it was started again.
    pub restarts: u32,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It was sent SIGSTOP: it keeps its memory and its messages, and does nothing.
    Frozen,
    /// It was sent SIGTERM, and finishes.
    Stopping,
    /// It was stopped.
    Stopped,
    /// It exited, and is started again in a moment.
    Restarting,
}

/// What a person wants.
#[derive(Debug)]
pub struct Wish {
    /// What to do.
    pub action: Action,
    /// Takes what became of it, as a sentence.
    pub answer: oneshot::Sender<anyhow::Result<String>>,
}

/// What can be done to processes. The text is the name of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL; it is restarted.
    Kill(String),
    /// SIGTERM; it is not restarted.
    Stop(String),
    /// SIGSTOP.
    Freeze(String),
    /// SIGCONT.
    Continue(String),
    /// Start a stopped one.
    Start(String),
    /// Run so many processes of a service.
    Scale {
        /// The service.
        service: String,
        /// How many.
        count: usize,
    },
}

/// The two ends.
pub fn channel() -> (Processes, Supervisor) {
    let (tasks, seen) = watch::channel(Vec::new());
    let (sender, wishes) = mpsc::channel(1);
    (Processes { tasks: seen, wishes: sender }, Supervisor { tasks, wishes })
}

impl Processes {
    /// What runs now.
    pub fn tasks(&self) -> Vec<Task> {
        self.tasks.borrow().clone()
    }

    /// Does it, and returns what became of it.
    ///
    /// # Errors
    ///
    /// Why it cannot be done.
    pub async fn wish(&self, action: Action) -> anyhow::Result<String> {
        let (answer, answered) = oneshot::channel();
        let wish = Wish { action, answer };
        self.wishes.send(wish).await.context("the services have stopped")?;
        answered.await.context("the services have stopped")?
    }
}

impl State {
    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Frozen => "frozen",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Restarting => "restarting",
        }
    }
}
