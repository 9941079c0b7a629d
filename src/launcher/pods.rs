//! The pods that are alive, as the launcher knows them.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use rustix::process::{Pid, Signal, kill_process};

use super::family::number;
use super::pod::{Event, Failure, Nursery, Pod, Spare, Step, event, signal_pod};
use super::spawn::{Program, Spawner};
use super::wire::{Notice, Order};

/// All pods, by the key of their instance.
#[derive(Debug)]
pub struct Pods {
    nursery: Nursery,
    inbox: UnixDatagram,
    living: HashMap<u64, Living>,
    inits: HashMap<Pid, u64>,
    /// One that is made ahead, where there is one.
    spare: Option<Spare>,
    /// A pod was launched since one was made ahead: the next may be launched too.
    wants_spare: bool,
}

#[derive(Debug)]
struct Living {
    init: Pid,
    main: Option<Pid>,
    stage: Stage,
}

/// What the engine knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Born,
    Launched,
    /// Its main process ended and others are left.
    Orphaned,
    /// Nothing more is to be told.
    Over,
}

impl Pods {
    /// No pods yet.
    pub fn new() -> io::Result<Self> {
        let (nursery, inbox) = Nursery::new()?;
        let (living, inits) = (HashMap::new(), HashMap::new());
        Ok(Self { nursery, inbox, living, inits, spare: None, wants_spare: false })
    }

    /// Readable when something happened in a pod.
    pub fn inbox(&self) -> BorrowedFd<'_> {
        self.inbox.as_fd()
    }

    /// Starts a program in a new pod; how that went is told later.
    pub fn launch(
        &mut self,
        key: u64,
        pod: &Pod,
        program: &Program<'_>,
        engine: &OwnedFd,
        spawner: &mut Spawner,
    ) -> Result<(), Failure> {
        let init = self.nursery.bear(key, pod, program, engine, spawner)?;
        self.wants_spare |= pod.network.is_some();
        self.born(key, init);
        Ok(())
    }

    /// The same in the pod that was made ahead; false where there is none.
    pub fn launch_in_spare(&mut self, key: u64, order: &Order, program: &Program<'_>, engine: &OwnedFd) -> bool {
        let Some(spare) = self.spare.take() else { return false };
        self.wants_spare = true;
        let init = spare.init();
        let output = [program.stdout.as_fd(), program.stderr.as_fd()];
        let with: Vec<_> =
            output.into_iter().chain(program.stdin.as_ref().map(AsFd::as_fd)).chain([engine.as_fd()]).collect();
        match spare.give(order, &with) {
            Ok(()) => {
                self.born(key, init);
                true
            }
            // What it has is closed to it, so it ends, and counts for nothing when it is reaped.
            Err(_) => false,
        }
    }

    fn born(&mut self, key: u64, init: Pid) {
        self.living.insert(key, Living { init, main: None, stage: Stage::Born });
        self.inits.insert(init, key);
    }

    /// Whether one is to be made ahead as soon as there is nothing else to do.
    pub fn wants_spare(&self) -> bool {
        self.wants_spare
    }

    /// Makes one ahead. Where that cannot be, it is tried again after another launch, which tells why.
    pub fn make_spare(&mut self, spawner: &mut Spawner) {
        self.wants_spare = false;
        self.spare = self.nursery.bear_ahead(spawner).ok();
    }

    /// Whether a child of the launcher is pid 1 of a pod.
    pub fn is_init(&self, pid: Pid) -> bool {
        self.inits.contains_key(&pid) || self.is_spare(pid)
    }

    fn is_spare(&self, pid: Pid) -> bool {
        self.spare.as_ref().is_some_and(|spare| spare.init() == pid)
    }

    /// What happened meanwhile.
    pub fn events(&mut self) -> Vec<Notice> {
        let mut out = Vec::new();
        while let Some((key, event, sender)) = event(&self.inbox) {
            let Some(living) = self.living.get_mut(&key) else { continue };
            match event {
                Event::Main => living.main = sender,
                Event::Launched => {
                    living.stage = Stage::Launched;
                    let pid = number(living.main.unwrap_or(living.init));
                    out.push(Notice::Launched { key, pid, init: Some(number(living.init)) });
                }
                Event::Dialled(address) => out.push(Notice::Dialled { key, address }),
                Event::Refused(failure) => {
                    living.stage = Stage::Over;
                    out.push(Notice::Refused { key, failure });
                }
                Event::Exited { status, others } => {
                    living.stage = if others { Stage::Orphaned } else { Stage::Over };
                    // What is left is below pid 1.
                    let left = if others { vec![number(living.init)] } else { Vec::new() };
                    out.push(Notice::Exited { key, status, left });
                }
            }
        }
        out
    }

    /// A child of the launcher was reaped. `None` where it was not pid 1 of a pod; else what is to be told.
    pub fn reaped(&mut self, pid: Pid, status: i32) -> Option<Vec<Notice>> {
        if self.is_spare(pid) {
            self.spare = None;
            return Some(Vec::new());
        }
        let key = self.inits.remove(&pid)?;
        // What it said before its end is there by now.
        let mut out = self.events();
        let stage = self.living.remove(&key).map_or(Stage::Over, |living| living.stage);
        match stage {
            Stage::Born => {
                let failure = Failure { step: Step::Handover, errno: libc::ECHILD };
                out.push(Notice::Refused { key, failure });
            }
            // Killed, and everybody with it.
            Stage::Launched => out.push(Notice::Exited { key, status, left: Vec::new() }),
            Stage::Orphaned => out.push(Notice::Gone { key }),
            Stage::Over => {}
        }
        Some(out)
    }

    /// Signals everybody in a pod; false where there is no such pod. SIGKILL goes to pid 1: the kernel does the rest.
    pub fn signal(&self, key: u64, signal: i32) -> bool {
        let Some(living) = self.living.get(&key) else { return false };
        if signal == Signal::KILL.as_raw() {
            let _ = kill_process(living.init, Signal::KILL);
        } else {
            signal_pod(living.init, signal);
        }
        true
    }

    /// Kills all pods.
    pub fn kill_all(&self) {
        for init in self.living.values().map(|living| living.init).chain(self.spare.as_ref().map(Spare::init)) {
            let _ = kill_process(init, Signal::KILL);
        }
    }
}
