//! Shifts of requests to a version over time. The engine has them, so that they go on when nobody looks.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Engine;
use crate::dtab::{NameTree, Path};
use crate::model::Service;
use crate::resilience::{self, Lack, Served, Verdict};
use crate::route::history::{Action, Author, Change, Current, Refused};
use crate::route::shares::{self, Shares};
use crate::runtime::{Problem, ShiftRequest};
use crate::supervise::{Moment, State};
use crate::telemetry::requests::{Record, Requests};
use crate::view::{self, ShiftState};

/// Between two looks at how a version does.
const LOOK: Duration = Duration::from_secs(1);
/// The first status of an answer that is a failure of the server.
const SERVER_ERROR: u16 = 500;
/// The statuses of gRPC that say the same: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS.
const GRPC_ERRORS: [u16; 5] = [2, 4, 13, 14, 15];

/// All shifts since the engine began, the last one of each service.
#[derive(Debug)]
pub(super) struct Shifts {
    list: Vec<Running>,
    jobs: JoinSet<Moved>,
    requests: Requests,
    look_at: Option<Instant>,
    shown: watch::Sender<Vec<view::Shift>>,
}

#[derive(Debug)]
struct Running {
    service: String,
    /// What the service's first version is called, where it has a name.
    first: Option<String>,
    /// The version, as a service.
    to: String,
    /// Who shares the rest; together all of it.
    others: Shares,
    /// The service's entry as it was.
    before: Option<NameTree<Path>>,
    /// The entry that is in force because of this.
    wrote: Option<NameTree<Path>>,
    /// Who is the author of its routes.
    who: Author,
    plan: resilience::Shift,
    began: Moment,
    /// The number of the next request that was not looked at.
    seen: u64,
    phase: Phase,
    /// What is missing to judge the present step by, whose time is over.
    held: Option<Lack>,
    /// Who has changed the service's routes since it ended.
    overtaken: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// New routes are on their way.
    Moving,
    Underway,
    /// The routes that it leaves are on their way.
    Ending(ShiftState, Option<String>),
    Over(ShiftState, Option<String>),
}

/// New routes are in force, or are not.
#[derive(Debug)]
pub(super) struct Moved {
    service: String,
    tree: Option<NameTree<Path>>,
    result: Result<Current, Problem>,
}

impl Shifts {
    pub fn new(requests: Requests) -> Self {
        Self { list: Vec::new(), jobs: JoinSet::new(), requests, look_at: None, shown: watch::Sender::default() }
    }

    /// The requests by which versions are compared.
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// All of them, as they will be.
    pub fn shown(&self) -> watch::Receiver<Vec<view::Shift>> {
        self.shown.subscribe()
    }

    /// New routes that were asked for; `None` where none are on their way.
    pub async fn moved(&mut self) -> Option<Moved> {
        self.jobs.join_next().await?.ok()
    }

    /// When they are to be looked at.
    pub fn look_at(&self) -> Option<Instant> {
        self.look_at
    }

    fn publish(&self) {
        self.shown.send_replace(self.list.iter().map(Running::shown).collect());
    }

    fn get(&mut self, service: &str) -> Option<&mut Running> {
        self.list.iter_mut().find(|it| it.service == service)
    }
}

impl Running {
    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(..))
    }

    fn can_be_sent_back(&self) -> bool {
        let is_open = matches!(self.phase, Phase::Over(ShiftState::Inconclusive, _)) && self.overtaken.is_none();
        is_open || matches!(self.phase, Phase::Moving | Phase::Underway)
    }

    fn shown(&self) -> view::Shift {
        let (step, steps) = self.plan.step();
        let (state, reason) = match &self.phase {
            // It is over when the routes are as it leaves them, and not before.
            Phase::Moving | Phase::Underway | Phase::Ending(..) => (ShiftState::Shifting, None),
            Phase::Over(state, reason) => (*state, reason.clone()),
        };
        let share = if state == ShiftState::Aborted { 0.0 } else { self.plan.share() };
        let held = self.held.map(|lack| lack.to_string()).filter(|_| state == ShiftState::Shifting);
        let (service, to, overtaken) = (self.service.clone(), self.to.clone(), self.overtaken.clone());
        view::Shift { service, to, share, step, steps, state, reason, held, overtaken }
    }

    /// The entry by which the version has a share.
    fn tree(&self, share: f64) -> Option<NameTree<Path>> {
        let rest = self.others.iter().map(|(name, of)| (name.clone(), of * (100.0 - share) / 100.0));
        let mut all: Shares = vec![(self.to.clone(), share)];
        all.extend(rest);
        all.retain(|(_, share)| *share > 0.0);
        // Without an entry all goes to the service's first version, as before.
        let is_usual = all.len() == 1 && all[0].0 == self.service && self.before.is_none();
        (!is_usual).then(|| shares::tree(&all))
    }

    /// What a record says of the shift; nothing where it is of another service, or of a version that has no share.
    fn served(&self, record: &Record) -> Option<Served> {
        if *record.to != *self.service || record.is_copy {
            return None;
        }
        let is = |name: &str| match name.strip_prefix(&*self.service).map(|rest| rest.strip_prefix('-')) {
            Some(Some(version)) => record.version.as_deref() == Some(version),
            // The first version, which may have a name besides the service's.
            Some(None) => record.version.as_deref() == self.first.as_deref(),
            None => false,
        };
        let by_new = is(&self.to);
        if !by_new && !self.others.iter().any(|(name, _)| is(name)) {
            return None;
        }
        let grpc = record.grpc_status.is_some_and(|status| GRPC_ERRORS.contains(&status));
        let http = record.status.is_some_and(|status| status >= SERVER_ERROR);
        Some(Served { by_new, failed: grpc || http || record.error.is_some(), took: record.duration })
    }
}

impl Engine {
    /// Begins with a shift; the answer comes when its first step is in force.
    pub(super) fn begin_shift(&mut self, request: &ShiftRequest) -> Result<view::Shift, Problem> {
        let refused = |message: String| Problem::Try { message, hint: None };
        let ShiftRequest { service, to, course, limits, who } = request;
        if !self.is_version(service, service) || !self.is_version(to, service) {
            return Err(refused(format!("`{to}` is no version of `{service}`")));
        }
        if self.shifts.list.iter().any(|it| it.service == *service && !it.is_over()) {
            let hint = format!("`nagaya shift {service} --abort` breaks it off");
            return Err(Problem::Try { message: format!("{service} is being shifted already"), hint: Some(hint) });
        }
        if let Some(why) = self.unfit(to, true) {
            return Err(refused(format!("{to} cannot take requests: it {why}")));
        }
        let routes = self.keeper.routes();
        let first = self.workspace.services.get(service.as_str()).and_then(|first| first.version.as_ref());
        let first = first.map(|version| version.name.clone());
        let now = shares::current(&routes, service, first.as_deref());
        let from = now.iter().find(|(name, _)| name == to).map_or(0.0, |(_, share)| *share);
        let others: Shares = match now.into_iter().filter(|(name, _)| name != to).collect::<Shares>() {
            none if none.is_empty() && to == service => {
                return Err(refused(format!("all requests to {service} go to {to} already, and nobody else is known")));
            }
            none if none.is_empty() => vec![(service.clone(), 100.0)],
            some => some.into_iter().map(|(name, share)| (name, share * 100.0 / (100.0 - from))).collect(),
        };
        let before = shares::entry(&routes, service).cloned();
        let running = Running {
            service: service.clone(),
            first,
            to: to.clone(),
            others,
            wrote: before.clone(),
            before,
            who: Author::new(who),
            plan: resilience::Shift::new(resilience::Course { from, ..*course }, *limits),
            began: self.clock.now(),
            seen: 0,
            phase: Phase::Moving,
            held: None,
            overtaken: None,
        };
        let shown = running.shown();
        self.shifts.list.retain(|it| it.service != *service);
        self.shifts.list.push(running);
        self.move_shift(service);
        self.shifts.publish();
        Ok(shown)
    }

    /// Breaks a shift off: all requests go to the other versions.
    pub(super) fn abort_shift(&mut self, service: &str) -> Result<(), Problem> {
        match self.shifts.get(service) {
            Some(it) if it.can_be_sent_back() => {
                self.send_back(service, "it was asked for".to_owned());
                Ok(())
            }
            _ => Err(Problem::Try { message: format!("{service} is not being shifted"), hint: None }),
        }
    }

    fn send_back(&mut self, service: &str, reason: String) {
        let Some(it) = self.shifts.get(service) else { return };
        let is_moving = it.phase == Phase::Moving;
        it.phase = Phase::Ending(ShiftState::Aborted, Some(reason));
        // Where a step is on its way, this goes behind it.
        if !is_moving {
            self.move_shift(service);
        }
        self.shifts.publish();
    }

    /// Puts routes into force by which the version has the share that it should have now.
    fn move_shift(&mut self, service: &str) {
        let current = self.keeper.dtabs().borrow().own();
        let routes = self.keeper.routes();
        let Some(it) = self.shifts.get(service) else { return };
        if shares::entry(&routes, service) != it.wrote.as_ref() {
            let who = format!("{} has changed the routes (version {})", current.who, current.version);
            it.phase = Phase::Over(ShiftState::Stopped, Some(who));
            return self.shifts.publish();
        }
        let share = if matches!(it.phase, Phase::Ending(..)) { 0.0 } else { it.plan.share() };
        let tree = it.tree(share);
        let dtab = shares::with(&routes, service, tree.clone());
        let who = it.who.clone();
        let action = Action::Put { dtab, if_version: Some(current.version) };
        let (waiting, kept) = oneshot::channel();
        self.keeper.change(Change { namespace: None, who, action }, waiting);
        let service = service.to_owned();
        self.shifts.jobs.spawn(async move {
            let result = kept.await.unwrap_or(Err(Problem::Ending));
            Moved { service, tree, result }
        });
    }

    pub(super) fn take_moved(&mut self, moved: Moved) {
        let Moved { service, tree, result } = moved;
        let seen = self.shifts.requests.since(u64::MAX).1;
        let Some(it) = self.shifts.get(&service) else { return };
        match result {
            Ok(_) => it.wrote = tree,
            // Whatever it was that somebody changed: if it was this entry, that is seen now.
            Err(Problem::Routes(Refused::Changed { .. })) => return self.move_shift(&service),
            Err(problem) => it.phase = Phase::Over(ShiftState::Stopped, Some(problem.to_string())),
        }
        match it.phase.clone() {
            Phase::Moving => {
                it.phase = Phase::Underway;
                it.seen = seen;
                self.shifts.look_at = Some(Instant::now() + LOOK);
            }
            Phase::Ending(state, reason) if it.wrote == it.tree(0.0) => it.phase = Phase::Over(state, reason),
            Phase::Ending(..) => return self.move_shift(&service),
            Phase::Underway | Phase::Over(..) => {}
        }
        self.shifts.publish();
        // Somebody may have changed the routes while this was being written.
        self.notice_overtaken();
    }

    /// Ends shifts whose routes somebody else has changed; of what has ended, it is noted.
    pub(super) fn notice_overtaken(&mut self) {
        let current = self.keeper.dtabs().borrow().own();
        let routes = current.dtab.clone().unwrap_or_default();
        let who = || format!("{} has changed the routes (version {})", current.who, current.version);
        let mut has_changed = false;
        for it in &mut self.shifts.list {
            let is_settled = it.overtaken.is_none() && matches!(it.phase, Phase::Underway | Phase::Over(..));
            if !is_settled || shares::entry(&routes, &it.service) == it.wrote.as_ref() {
                continue;
            }
            has_changed = true;
            match it.phase {
                Phase::Over(ShiftState::Stopped, _) => {}
                Phase::Over(..) => it.overtaken = Some(who()),
                _ => it.phase = Phase::Over(ShiftState::Stopped, Some(who())),
            }
        }
        if has_changed {
            self.shifts.publish();
        }
    }

    /// Ends shifts to versions that cannot take requests any more.
    pub(super) fn guard_shifts(&mut self) {
        let underway = self.shifts.list.iter().filter(|it| matches!(it.phase, Phase::Moving | Phase::Underway));
        let unfit = underway.filter_map(|it| Some((it.service.clone(), it.to.clone(), self.unfit(&it.to, false)?)));
        for (service, to, why) in unfit.collect::<Vec<_>>() {
            self.send_back(&service, format!("{to} {why}"));
        }
    }

    /// Whether a name is that of a service, or of one of its versions.
    pub(super) fn is_version(&self, name: &str, service: &str) -> bool {
        let of = |it: &Service| it.version.as_ref().map_or(it.name.as_str(), |version| version.of.as_str()) == service;
        self.workspace.services.get(name).is_some_and(of)
    }

    /// Why a version cannot take requests, as it is said behind its name; one that is on its way can wait for them, but not begin with it.
    pub(super) fn unfit(&self, name: &str, at_first: bool) -> Option<String> {
        let plan = self.world.plan();
        let Some(place) = plan.index(name).filter(|place| !self.world.is_over(*place)) else {
            return Some("is gone".to_owned());
        };
        let status = self.world.status(place);
        match status.state {
            State::Ready | State::Running | State::Idle => None,
            State::Waiting | State::Setup | State::Starting if !at_first => None,
            state => {
                let reason = status.reason.as_ref().map(|reason| format!(": {}", view::reason(reason, plan)));
                Some(format!("{}{}", state.said(), reason.unwrap_or_default()))
            }
        }
    }

    /// Looks at how the versions do, and takes the next steps.
    pub(super) fn look_at_shifts(&mut self) {
        let now = self.clock.now();
        let mut steps = Vec::new();
        let Shifts { list, requests, .. } = &mut self.shifts;
        for it in list.iter_mut().filter(|it| it.phase == Phase::Underway) {
            let (records, seen) = requests.since(it.seen);
            it.seen = seen;
            let served: Vec<Served> = records.iter().filter_map(|record| it.served(record)).collect();
            served.into_iter().for_each(|served| it.plan.observe(served));
            let verdict = it.plan.look(now.since(it.began));
            it.held = if let Verdict::Hold(lack) = verdict { Some(lack) } else { None };
            match verdict {
                Verdict::Stay | Verdict::Hold(_) => {}
                Verdict::Inconclusive(lack) => {
                    it.phase = Phase::Over(ShiftState::Inconclusive, Some(lack.to_string()));
                }
                Verdict::Step(_) => {
                    it.phase = Phase::Moving;
                    steps.push((it.service.clone(), None));
                }
                Verdict::Done => it.phase = Phase::Over(ShiftState::Done, None),
                Verdict::Abort(reason) => steps.push((it.service.clone(), Some(reason.to_string()))),
            }
        }
        for (service, reason) in steps {
            match reason {
                None => self.move_shift(&service),
                Some(reason) => self.send_back(&service, reason),
            }
        }
        let ends = self.shifts.list.iter().filter(|it| it.phase == Phase::Underway);
        // One that is held is looked at as all others are.
        let pause = |it: &Running| Some(it.began.after(it.plan.next()).since(now)).filter(|left| !left.is_zero());
        let next = ends.map(|it| pause(it).unwrap_or(LOOK).min(LOOK)).min();
        self.shifts.look_at = next.map(|pause| Instant::now() + pause);
        self.shifts.publish();
    }
}
