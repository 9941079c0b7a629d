//! The machine: one way in, `step`.
//!
//! It knows nothing of processes. Whoever drives it starts, stops and kills what it says, and tells it of each end.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

/// A task as the machine sees it.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// What has to succeed before it, by place.
    pub needs: Vec<usize>,
    /// How long it may take, in milliseconds: what holds up most begins first.
    pub weight: u64,
    /// No two with the same lock run at once.
    pub lock: Option<usize>,
    /// It is given the terminal, and so runs alone.
    pub alone: bool,
}

/// How tasks are run.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// At once.
    pub jobs: NonZeroUsize,
    /// A failure stops only what depends on it.
    pub keep_going: bool,
    /// Between a task's being asked to end and its being killed.
    pub grace: Duration,
}

/// What happens to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Begin,
    /// A task that was started is over.
    Ended(usize, End),
    /// Somebody wants it all to end; the second time at once.
    Interrupt,
    /// Time has passed.
    Tick,
}

/// How a task came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It ran, and went well.
    Fresh,
    /// Its result was there already.
    Cached,
    /// With an exit code that is not 0.
    Failed(u8),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Start(usize),
    /// Ask it to end.
    Stop(usize),
    Kill(usize),
    /// Nothing is to be done, and nothing will be.
    Skip(usize, Cause),
}

/// Why a task never ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// This one failed, or was skipped itself, and is needed.
    Needs(usize),
    /// This one failed, and nothing new is begun after a failure.
    After(usize),
    Interrupted,
}

/// What is going on with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Waiting,
    Running,
    /// It was asked to end, and is killed at this time. Killed already where there is none.
    Stopping(Option<Duration>),
    Done(End),
    /// It ended on request.
    Stopped,
    Skipped(Cause),
}

/// Tasks on their way.
#[derive(Debug)]
pub struct Machine {
    nodes: Vec<Node>,
    dependents: Vec<Vec<usize>>,
    states: Vec<State>,
    /// How many needs are not met yet.
    unmet: Vec<usize>,
    /// What could be started, the most urgent first.
    ready: BTreeSet<(Reverse<u64>, usize)>,
    urgency: Vec<u64>,
    rules: Rules,
    running: usize,
    /// Locks that a running task has.
    held: BTreeSet<usize>,
    /// A running task has the terminal.
    alone: bool,
    open: usize,
    first_failure: Option<(usize, u8)>,
    interrupted: bool,
}

impl Machine {
    /// A machine for tasks without cycles.
    pub fn new(nodes: Vec<Node>, rules: Rules) -> Self {
        let mut dependents = vec![Vec::new(); nodes.len()];
        for (place, node) in nodes.iter().enumerate() {
            node.needs.iter().for_each(|need| dependents[*need].push(place));
        }
        let unmet: Vec<usize> = nodes.iter().map(|node| node.needs.len()).collect();
        let urgency = urgency(&nodes, &dependents);
        let ready = (0..nodes.len()).filter(|it| unmet[*it] == 0).map(|it| (Reverse(urgency[it]), it)).collect();
        let states = vec![State::Waiting; nodes.len()];
        let open = nodes.len();
        Self {
            nodes,
            dependents,
            states,
            unmet,
            ready,
            urgency,
            rules,
            running: 0,
            held: BTreeSet::new(),
            alone: false,
            open,
            first_failure: None,
            interrupted: false,
        }
    }

    /// Takes in what happened at `now` and says what to do.
    pub fn step(&mut self, now: Duration, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Begin => {}
            Input::Ended(place, end) => self.ended(place, end, &mut effects),
            Input::Interrupt => self.interrupt(now, &mut effects),
            Input::Tick => self.kill(|at| at <= now, &mut effects),
        }
        self.start(&mut effects);
        effects
    }

    /// Whether every task has come to its end.
    pub fn is_done(&self) -> bool {
        self.open == 0
    }

    /// When to `Tick`.
    pub fn deadline(&self) -> Option<Duration> {
        let times = self.states.iter().filter_map(|state| match state {
            State::Stopping(at) => *at,
            _ => None,
        });
        times.min()
    }

    /// What is going on with a task.
    pub fn state(&self, place: usize) -> State {
        self.states[place]
    }

    /// The task that failed first, and its exit code.
    pub fn first_failure(&self) -> Option<(usize, u8)> {
        self.first_failure
    }

    /// Somebody wanted it all to end.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    fn ended(&mut self, place: usize, end: End, effects: &mut Vec<Effect>) {
        let stopping = match self.states[place] {
            State::Running => false,
            State::Stopping(_) => true,
            // Told twice.
            _ => return,
        };
        self.running -= 1;
        self.open -= 1;
        if let Some(lock) = &self.nodes[place].lock {
            self.held.remove(lock);
        }
        self.alone &= !self.nodes[place].alone;
        self.states[place] = if stopping { State::Stopped } else { State::Done(end) };
        match end {
            _ if stopping => self.skip_dependents(place, effects),
            End::Fresh | End::Cached => self.meet(place),
            End::Failed(code) => {
                self.first_failure.get_or_insert((place, code));
                self.skip_dependents(place, effects);
                if !self.rules.keep_going {
                    self.skip_all(Cause::After(place), effects);
                }
            }
        }
    }

    fn meet(&mut self, place: usize) {
        for at in 0..self.dependents[place].len() {
            let dependent = self.dependents[place][at];
            self.unmet[dependent] -= 1;
            if self.unmet[dependent] == 0 && self.states[dependent] == State::Waiting {
                self.ready.insert((Reverse(self.urgency[dependent]), dependent));
            }
        }
    }

    fn interrupt(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if std::mem::replace(&mut self.interrupted, true) {
            return self.kill(|_| true, effects);
        }
        for place in 0..self.states.len() {
            if self.states[place] == State::Running {
                self.states[place] = State::Stopping(Some(now.saturating_add(self.rules.grace)));
                effects.push(Effect::Stop(place));
            }
        }
        self.skip_all(Cause::Interrupted, effects);
    }

    fn kill(&mut self, is_due: impl Fn(Duration) -> bool, effects: &mut Vec<Effect>) {
        for (place, state) in self.states.iter_mut().enumerate() {
            if matches!(state, State::Stopping(Some(at)) if is_due(*at)) {
                *state = State::Stopping(None);
                effects.push(Effect::Kill(place));
            }
        }
    }

    fn skip_all(&mut self, cause: Cause, effects: &mut Vec<Effect>) {
        for place in 0..self.states.len() {
            self.skip(place, cause, effects);
        }
    }

    fn skip(&mut self, place: usize, cause: Cause, effects: &mut Vec<Effect>) -> bool {
        if self.states[place] != State::Waiting {
            return false;
        }
        self.states[place] = State::Skipped(cause);
        self.ready.remove(&(Reverse(self.urgency[place]), place));
        self.open -= 1;
        effects.push(Effect::Skip(place, cause));
        true
    }

    /// All that needs a task, directly or not, with the task that each lacks.
    fn skip_dependents(&mut self, place: usize, effects: &mut Vec<Effect>) {
        let mut todo = vec![place];
        while let Some(failed) = todo.pop() {
            for dependent in self.dependents[failed].clone() {
                if self.skip(dependent, Cause::Needs(failed), effects) {
                    todo.push(dependent);
                }
            }
        }
    }

    fn start(&mut self, effects: &mut Vec<Effect>) {
        while self.running < self.rules.jobs.get() {
            let Some(&(urgency, place)) = self.ready.iter().find(|it| self.may_start(it.1)) else { return };
            self.ready.remove(&(urgency, place));
            self.states[place] = State::Running;
            self.running += 1;
            self.held.extend(self.nodes[place].lock);
            self.alone |= self.nodes[place].alone;
            effects.push(Effect::Start(place));
        }
    }

    fn may_start(&self, place: usize) -> bool {
        let node = &self.nodes[place];
        let is_free = node.lock.is_none_or(|lock| !self.held.contains(&lock));
        self.running == 0 || (is_free && !self.alone && !node.alone)
    }
}

/// How much each task holds up: its own time and the longest of those that wait for it.
fn urgency(nodes: &[Node], dependents: &[Vec<usize>]) -> Vec<u64> {
    let mut left: Vec<usize> = dependents.iter().map(Vec::len).collect();
    let mut urgency: Vec<u64> = nodes.iter().map(|node| node.weight).collect();
    let mut todo: Vec<usize> = (0..nodes.len()).filter(|it| left[*it] == 0).collect();
    while let Some(place) = todo.pop() {
        for &need in &nodes[place].needs {
            urgency[need] = urgency[need].max(nodes[need].weight.saturating_add(urgency[place]));
            left[need] -= 1;
            if left[need] == 0 {
                todo.push(need);
            }
        }
    }
    urgency
}

#[cfg(test)]
mod tests;
