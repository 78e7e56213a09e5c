//! A queue and its tasks, second by second.

use std::collections::VecDeque;

use super::task::{Messages, Task, Work};

/// After this time without a delete, SQS gives a message to another task.
const VISIBILITY_SECONDS: u64 = 60;

/// The part of its processor that a task uses without messages.
const IDLE: f64 = 0.01;

/// How a task ends.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// From SIGTERM on it finishes what it has for so long, and gives back the rest.
    pub drain_seconds: u64,
    /// From SIGTERM on it lives for so long at most: `StopTimeout`.
    pub most_seconds: u64,
}

/// A queue and its tasks.
#[derive(Debug)]
pub struct Plant {
    work: Work,
    stop: Stop,
    now: u64,
    /// The messages that wait, the oldest first.
    queue: VecDeque<Messages>,
    /// Messages of killed tasks, and when SQS shows them again.
    hidden: Vec<(u64, Messages)>,
    tasks: Vec<Task>,
    /// What has happened so far.
    pub so_far: SoFar,
    /// What has happened in this minute.
    pub minute: Minute,
}

/// What has happened so far.
#[derive(Clone, Debug, Default)]
pub struct SoFar {
    /// Messages that arrived.
    pub arrived: u64,
    /// Messages that were handled.
    pub handled: u64,
    /// Messages that a stopping task gave back.
    pub given_back: u64,
    /// Messages whose task was killed.
    pub killed: u64,
    /// How long the first message waited for a task.
    pub first_wait: Option<u64>,
    /// The longest that a message waited for a task.
    pub longest_wait: u64,
    /// The seconds of all tasks, which are paid for.
    pub task_seconds: u64,
}

/// What has happened in a minute.
#[derive(Clone, Copy, Debug, Default)]
pub struct Minute {
    /// Messages that were received.
    pub received: u64,
    /// Receives that brought nothing.
    pub empty: u64,
    /// Seconds of the tasks' processors that were used.
    pub used: f64,
    /// Messages that were received in its last second.
    pub last: u64,
}

impl Plant {
    /// Nothing waits and nothing runs.
    pub fn new(work: Work, stop: Stop) -> Self {
        let (so_far, minute) = (SoFar::default(), Minute::default());
        let (queue, hidden, tasks) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { work, stop, now: 0, queue, hidden, tasks, so_far, minute }
    }

    /// Messages that wait.
    pub fn waiting(&self) -> u64 {
        self.queue.iter().map(|it| it.count).sum()
    }

    /// Messages in flight. While some wait, a task has as many as it takes.
    pub fn in_flight(&self) -> u64 {
        let short = match self.queue.is_empty() {
            _ if !self.work.is_short() => 0,
            true => (self.minute.last as f64 * self.work.seconds).round() as u64,
            false => {
                let tasks = self.up().filter(|it| it.is_wanted()).count() as u64;
                self.waiting().min(tasks * self.work.in_flight)
            }
        };
        self.held() + short
    }

    /// Messages that take longer, and those of killed tasks.
    fn held(&self) -> u64 {
        let hidden = self.hidden.iter().map(|(_, it)| it.count);
        self.tasks.iter().map(Task::held).chain(hidden).sum()
    }

    /// Tasks that run, also those that are stopping.
    pub fn running(&self) -> u64 {
        self.up().count() as u64
    }

    fn up(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|it| it.runs(self.now))
    }

    /// Starts or stops tasks until there are `wanted`. Those that have the most in flight stop
    /// first: ECS does not look at that, so it may be them.
    pub fn scale(&mut self, wanted: u32) {
        let mut now = self.tasks.iter().filter(|it| it.is_wanted()).count();
        while now < wanted as usize {
            self.tasks.push(Task::start(self.now));
            now += 1;
        }
        while now > wanted as usize {
            let wanted = self.tasks.iter_mut().filter(|it| it.is_wanted());
            let Some(busiest) = wanted.max_by_key(|it| it.held()) else { break };
            busiest.stop(self.now);
            now -= 1;
        }
    }

    /// A second, in which `arriving` messages arrive.
    pub fn second(&mut self, arriving: u64) {
        self.so_far.arrived += arriving;
        let shown: Vec<_> = self.hidden.extract_if(.., |(until, _)| *until <= self.now).collect();
        shown.into_iter().for_each(|(_, messages)| self.queue.push_front(messages));
        if arriving > 0 {
            self.queue.push_back(Messages { arrived: self.now, count: arriving });
        }
        self.minute.last = 0;
        self.minute.used += IDLE * self.running() as f64;
        for at in 0..self.tasks.len() {
            let ended = self.tasks[at].end(self.now);
            self.so_far.handled += ended;
            self.begin(at);
        }
        self.end_tasks();
        self.so_far.task_seconds += self.tasks.len() as u64;
        self.now += 1;
    }

    /// Lets a task receive.
    fn begin(&mut self, at: usize) {
        let mut room = self.tasks[at].room(self.work, self.now);
        let before = room;
        while room > 0
            && let Some(oldest) = self.queue.front_mut()
        {
            let messages = Messages { count: oldest.count.min(room), ..*oldest };
            oldest.count -= messages.count;
            if oldest.count == 0 {
                self.queue.pop_front();
            }
            room -= messages.count;
            let wait = self.now - messages.arrived;
            self.so_far.first_wait.get_or_insert(wait);
            self.so_far.longest_wait = self.so_far.longest_wait.max(wait);
            self.tasks[at].begin(self.work, self.now, messages);
        }
        let begun = before - room;
        self.minute.received += begun;
        self.minute.last += begun;
        self.minute.used += begun as f64 * self.work.processor_seconds;
        if self.work.is_short() {
            self.so_far.handled += begun;
        }
        self.minute.empty += u64::from(begun == 0 && self.tasks[at].receives_nothing(self.now));
    }

    /// Ends tasks that have nothing left, give back what they have, or are killed.
    fn end_tasks(&mut self) {
        let drained = self.stop.drain_seconds;
        let (now, most) = (self.now, self.stop.most_seconds);
        for task in &mut self.tasks {
            let Some(stopping) = task.stopping_for(now) else { continue };
            if stopping >= drained.min(most) {
                for messages in task.give_back() {
                    if drained < most {
                        self.so_far.given_back += messages.count;
                        self.queue.push_front(messages);
                    } else {
                        self.so_far.killed += messages.count;
                        self.hidden.push((now + VISIBILITY_SECONDS, messages));
                    }
                }
            }
        }
        self.tasks.retain(|it| it.is_wanted() || it.held() > 0);
    }

    /// Messages that neither were handled nor are anywhere.
    pub fn lost(&self) -> u64 {
        self.so_far.arrived - self.so_far.handled - self.waiting() - self.held()
    }
}
