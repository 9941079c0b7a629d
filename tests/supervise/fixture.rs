//! A world on a leash: time moves by hand, effects are texts, and facts are told by name.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nagaya::model::{NetworkMode, ProbeKind, Workspace};
use nagaya::plan::{DataDirs, Plan, Ports, Selection, Slot, SlotKind, Surroundings, plan, select, slots};
use nagaya::supervise::{
    Command, Effect, Exit, Fact, Hour, Incarnation, Input, Left, Moment, Said, SetupRun, Swept, Ticket, Want, World,
};

use crate::support::manifest::{good, passable};

/// The plan of a manifest, with made-up ports.
pub fn plan_of(workspace: &Workspace) -> Plan {
    let number = |(at, slot): (usize, Slot)| match slot.kind {
        SlotKind::Insisted(number) => (slot.key, number),
        // It is remembered, so that a service keeps its address wherever it stands.
        SlotKind::Address => {
            let number = slot.key.bytes().fold(1, |number: u16, byte| number.wrapping_mul(31) ^ u16::from(byte)) >> 2;
            (slot.key, number + 1)
        }
        SlotKind::Program | SlotKind::Engine | SlotKind::Pair => (slot.key, 20_000 + u16::try_from(at).unwrap()),
    };
    let ports = slots(workspace, nagaya::model::NetworkMode::Env).into_iter().enumerate().map(number);
    let surroundings = Surroundings {
        shell: Arc::default(),
        ports: Ports(ports.collect()),
        data: DataDirs { own: PathBuf::from("/data"), of_accounts: PathBuf::from("/data") },
        site: nagaya::plan::Site { host_label: "test".into(), ..Default::default() },
        network: NetworkMode::Env,
        loopback: 64,
    };
    plan(workspace, &surroundings)
}

pub struct Fixture {
    pub world: World,
    workspace: Workspace,
    now: Moment,
    lives: HashMap<String, Incarnation>,
    runs: HashMap<String, SetupRun>,
    ticket: Option<Ticket>,
}

impl Fixture {
    /// A world of the services in a flow mapping: `a: { depends_on: b }, b: {}`. Each gets a command.
    pub fn new(services: &str) -> Self {
        Self::of(good(&manifest(services)))
    }

    /// The same of services of which there is to be warned.
    pub fn passable(services: &str) -> Self {
        Self::of(passable(&manifest(services)))
    }

    fn of(workspace: Workspace) -> Self {
        let world = World::new(Arc::new(plan_of(&workspace)), 1);
        Self { world, workspace, now: Moment::default(), lives: HashMap::new(), runs: HashMap::new(), ticket: None }
    }

    /// The place of a service.
    pub fn place(&self, name: &str) -> usize {
        self.world.plan().index(name).unwrap()
    }

    fn names(&self, places: &[&str]) -> Vec<usize> {
        places.iter().map(|name| self.place(name)).collect()
    }

    /// Lets time pass, with a tick at its end.
    pub fn pass(&mut self, millis: u64) -> String {
        self.now = self.now.after(Duration::from_millis(millis));
        self.step(Input::Tick)
    }

    /// How long until the world wants a tick, in whole milliseconds that are enough.
    pub fn next(&self) -> Option<u128> {
        self.world.next_deadline().map(|at| at.since(self.now).as_micros().div_ceil(1000))
    }

    pub fn up(&mut self) -> String {
        let mask = select(&self.workspace, &Selection::default(), |_| false).unwrap();
        let want = |place: usize| if self.workspace.service(place).lazy { Want::Idle } else { Want::Up };
        let wants = mask.iter().enumerate().filter(|(_, on)| **on).map(|(place, _)| (place, want(place))).collect();
        self.step(Input::Asked(Command::Up(wants)))
    }

    pub fn start(&mut self, names: &[&str]) -> String {
        self.step(Input::Asked(Command::Start(self.names(names))))
    }

    pub fn stop(&mut self, names: &[&str]) -> String {
        self.step(Input::Asked(Command::Stop(self.names(names))))
    }

    pub fn restart(&mut self, names: &[&str]) -> String {
        self.step(Input::Asked(Command::Restart(self.names(names))))
    }

    pub fn replace(&mut self, names: &[&str]) -> String {
        self.step(Input::Asked(Command::Replace(self.names(names))))
    }

    pub fn wake(&mut self, name: &str) -> String {
        self.step(Input::Asked(Command::Wake(self.place(name))))
    }

    pub fn down(&mut self) -> String {
        self.step(Input::Asked(Command::Down))
    }

    pub fn kill_these(&mut self, names: &[&str]) -> String {
        self.step(Input::Asked(Command::Kill(self.names(names))))
    }

    pub fn kill(&mut self) -> String {
        let all = 0..self.world.plan().services.len();
        self.step(Input::Asked(Command::Kill(all.collect())))
    }

    pub fn launched(&mut self, name: &str) -> String {
        self.tell(Fact::Launched(self.life(name), 100))
    }

    pub fn exited(&mut self, name: &str, code: i32) -> String {
        self.tell(Fact::Exited(self.life(name), Exit::Code(code), Left::Nothing))
    }

    pub fn exited_leaving(&mut self, name: &str, code: i32, left: Left) -> String {
        self.tell(Fact::Exited(self.life(name), Exit::Code(code), left))
    }

    pub fn gone(&mut self, name: &str) -> String {
        self.tell(Fact::Gone(self.life(name)))
    }

    pub fn probed(&mut self, name: &str, result: Result<(), &str>) -> String {
        self.answered(name, ProbeKind::Readiness, result)
    }

    /// One try of a probe of this kind is through.
    pub fn answered(&mut self, name: &str, kind: ProbeKind, result: Result<(), &str>) -> String {
        self.tell(Fact::Probed(self.life(name), kind, result.map_err(str::to_owned)))
    }

    /// The image of its container brings a check.
    pub fn has_check(&mut self, name: &str) -> String {
        self.tell(Fact::HasCheck(self.life(name)))
    }

    pub fn judged(&mut self, name: &str, verdict: Result<(), &str>) -> String {
        self.tell(Fact::Judged(self.life(name), verdict.map_err(str::to_owned)))
    }

    pub fn listens(&mut self, name: &str) -> String {
        let found = Swept { incarnation: self.life(name), listening: true, finding: None };
        self.tell(Fact::Swept(vec![found], Duration::ZERO))
    }

    /// The clock says whether it is time, and when it is next: in so many seconds of that clock and of this world.
    pub fn looked(&mut self, is_due: bool, next: i64, millis: u64) -> String {
        let look = Some(self.now.after(Duration::from_millis(millis)));
        let hour = Hour { is_due, next: jiff::Timestamp::from_second(next).ok(), look };
        self.tell(Fact::Looked(self.ticket.unwrap(), hour))
    }

    pub fn drained(&mut self, name: &str) -> String {
        self.tell(Fact::Drained(self.life(name)))
    }

    pub fn logged(&mut self, name: &str) -> String {
        self.logs(name, ProbeKind::Readiness)
    }

    /// A line came by which this is seen.
    pub fn logs(&mut self, name: &str, kind: ProbeKind) -> String {
        self.tell(Fact::LogMatched(self.life(name), kind))
    }

    pub fn said(&mut self, name: &str, said: Said) -> String {
        self.tell(Fact::Said(self.life(name), said))
    }

    pub fn set_up(&mut self, command: &str, result: Result<(), &str>) -> String {
        let run = self.runs[command];
        self.tell(Fact::SetupEnded(run, result.map_err(str::to_owned)))
    }

    /// The life that was launched last for a service, or for one of its instances: `a#2`.
    pub fn life(&self, name: &str) -> Incarnation {
        self.lives[name]
    }

    pub fn tell(&mut self, fact: Fact) -> String {
        self.step(Input::Told(fact))
    }

    /// Lays another manifest over the running one.
    pub fn apply(&mut self, services: &str) -> String {
        self.workspace = good(&manifest(services));
        let effects = self.world.apply(self.now, plan_of(&self.workspace));
        self.show(&effects)
    }

    pub fn step(&mut self, input: Input) -> String {
        let effects = self.world.step(self.now, input);
        self.show(&effects)
    }

    /// The state of a service as its word.
    pub fn state(&self, name: &str) -> &'static str {
        self.world.status(self.place(name)).state.word()
    }

    /// The states of a service's instances, each with its number.
    pub fn instances(&self, name: &str) -> String {
        let statuses = self.world.statuses(self.place(name));
        let words = statuses.map(|status| format!("{} {}", status.instance, status.state.word()));
        words.collect::<Vec<_>>().join(", ")
    }

    /// The instances of a service that can be called.
    pub fn endpoints(&self, name: &str) -> Vec<u32> {
        self.world.endpoints(self.place(name)).map(|(number, _)| number).collect()
    }

    /// All states, in the order of the manifest.
    pub fn states(&self) -> String {
        let words = (0..self.world.plan().services.len()).map(|place| self.world.status(place).state.word());
        words.collect::<Vec<_>>().join(" ")
    }

    /// Effects as texts, in alphabetical order: `launch a, signal b SIGTERM`.
    fn show(&mut self, effects: &[Effect]) -> String {
        let mut shown: Vec<String> = effects.iter().map(|effect| self.show_one(effect)).collect();
        shown.sort();
        shown.join(", ")
    }

    fn show_one(&mut self, effect: &Effect) -> String {
        let plan = self.world.plan().clone();
        let name = |place: usize| plan.services[place].name.to_string();
        match effect {
            Effect::Launch { service, instance, incarnation } => {
                // The first is called as its service is.
                let label = nagaya::view::label(&name(*service), *instance);
                self.lives.insert(label.clone(), *incarnation);
                format!("launch {label}")
            }
            Effect::Signal { incarnation, signal } => {
                let owner = self.lives.iter().find(|(_, life)| *life == incarnation).map(|(name, _)| name.clone());
                format!("signal {} {signal}", owner.unwrap())
            }
            Effect::Probe { service, kind: ProbeKind::Readiness, .. } => format!("probe {}", name(*service)),
            Effect::Probe { service, kind, .. } => format!("{} of {}", kind.word(), name(*service)),
            Effect::Measure { service, .. } => format!("measure {}", name(*service)),
            Effect::Look { service, ticket, due } => {
                self.ticket = Some(*ticket);
                let due = due.map(|due| format!(" due {}", due.as_second())).unwrap_or_default();
                format!("look for {}{due}", name(*service))
            }
            Effect::Alert { service, .. } => format!("alert {}", name(*service)),
            Effect::Weigh => "weigh".to_owned(),
            Effect::Sweep(waiting) => {
                let waiting: Vec<String> = waiting.iter().map(|(service, _)| name(*service)).collect();
                format!("sweep {}", waiting.join("+"))
            }
            Effect::Setup { setup, run } => {
                let command = plan.setups[*setup].command.clone();
                self.runs.insert(command.clone(), *run);
                format!("setup {command}")
            }
        }
    }
}

fn manifest(services: &str) -> String {
    // What is for the whole workspace stands before ` || `.
    let (head, services) = services.split_once(" || ").unwrap_or(("", services));
    let mut text = format!("{head}\nservices:\n");
    for service in services.split(" | ") {
        let (name, keys) = service.split_once(':').unwrap_or((service, ""));
        let keys = keys.trim();
        let complete = keys.contains("command:") || keys.contains("external:");
        let command = if complete { "" } else { "command: run" };
        let comma = if keys.is_empty() || command.is_empty() { "" } else { ", " };
        text.push_str(&format!("  {name}: {{ {keys}{comma}{command} }}\n"));
    }
    text
}
