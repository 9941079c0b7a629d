//! Pid 1 of a pod: starts the service, reaps everybody, passes signals on, hands out sockets.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::{Pid, WaitOptions, wait};

use super::super::spawn::{Program, Spawner};
use super::control::{self, MOST_SOCKETS, Request};
use super::enter::{self, Entrant};
use super::event::{Event, tell};
use super::maps::Identity;
use super::redirect::{self, Families, NONE};
use super::{Failure, Handover, Pod, Step, clone, rules};

/// What pid 1 is born with.
pub struct Birth<'a> {
    pub key: u64,
    pub pod: &'a Pod,
    pub program: &'a Program<'a>,
    /// The engine's line to this pod.
    pub engine: &'a OwnedFd,
    pub spawner: &'a mut Spawner,
    pub events: &'a UnixDatagram,
    /// Whose programs may `ping`.
    pub gid: u32,
}

/// Where it is born.
pub struct Origin<'a> {
    pub launcher: &'a OwnedFd,
    pub identity: Identity,
    pub ids: (u32, u32),
    pub mapped: Option<OwnedFd>,
}

/// What every pid 1 does first, whoever's it will be.
pub fn arrive(origin: Origin<'_>) -> Result<(), Failure> {
    let Origin { launcher, identity, ids, mapped } = origin;
    let own_end = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    own_end.map_err(Step::Namespaces.failed())?;
    if is_dead(launcher) {
        clone::end(1);
    }
    let _ = rustix::thread::set_name(c"nagaya-pod");
    enter::identify(&Entrant { identity, ids, mapped: mapped.as_ref() })
}

/// The life of pid 1 once it has arrived.
pub fn live(arrived: Result<(), Failure>, birth: Birth<'_>) -> ! {
    let (key, events) = (birth.key, birth.events);
    let code = match arrived.and_then(|()| start(birth)) {
        Ok(mut init) => init.run(),
        Err(failure) => {
            tell(events, key, Event::Refused(failure));
            1
        }
    };
    clone::end(code)
}

fn start(birth: Birth<'_>) -> Result<Init<'_>, Failure> {
    let Birth { key, pod, program, engine, spawner, events, gid } = birth;
    let connected = enter::enter(pod, gid)?;
    let families = connected.as_ref().map_or(NONE, |(_, families)| *families);
    if let Some((handover, _)) = &connected {
        let Handover { listener, names, datagrams, diagnosis, datagrams6 } = handover;
        let sockets: Vec<_> = [listener, names, datagrams, diagnosis].into_iter().chain(datagrams6).collect();
        let sockets: Vec<_> = sockets.into_iter().map(AsFd::as_fd).collect();
        control::send(engine, &sockets).map_err(Step::Handover.failed())?;
    }
    // Before all that is open is closed: none may be closed twice.
    drop(connected);
    let signals = clone::signals().map_err(Step::Exec.broke())?;
    spawner.settle(events, Event::Main.encode(key));
    let main = spawner.spawn(program).map_err(|errno| Failure { step: Step::Exec, errno })?;
    tell(events, key, Event::Launched);
    // Among others the ends of the service's pipes: they are to close when it ends.
    clone::keep_only(&[events.as_fd(), engine.as_fd(), signals.as_fd()]);
    Ok(Init { key, main: Some(main), events, engine: Some(engine), signals, families })
}

/// The parent may have died before its death could be noticed.
fn is_dead(launcher: &OwnedFd) -> bool {
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(launcher, PollFlags::IN)], Some(&now)).is_ok_and(|count| count > 0)
}

struct Init<'a> {
    key: u64,
    /// The service's main process, as numbered here; `None` once it ended.
    main: Option<Pid>,
    events: &'a UnixDatagram,
    /// `None` once the engine closed it.
    engine: Option<&'a OwnedFd>,
    signals: OwnedFd,
    /// What is redirected.
    families: Families,
}

impl Init<'_> {
    /// Until nobody is left.
    fn run(&mut self) -> i32 {
        loop {
            let mut waited = vec![PollFd::new(&self.signals, PollFlags::IN)];
            waited.extend(self.engine.map(|engine| PollFd::new(engine, PollFlags::IN)));
            if poll(&mut waited, None).is_err() {
                continue;
            }
            let requested = waited.get(1).is_some_and(|it| !it.revents().is_empty());
            if !waited[0].revents().is_empty() && self.take_signals() && self.reap() {
                return 0;
            }
            if requested && !self.serve() {
                self.engine = None;
            }
        }
    }

    /// Passes on what was ordered; whether a child ended.
    fn take_signals(&self) -> bool {
        let mut ended = false;
        // struct signalfd_siginfo (signalfd(2)): the number at 0, the value at 44.
        let mut info = [0; 128];
        while rustix::io::read(&self.signals, &mut info) == Ok(128) {
            let number = |at: usize| i32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
            if number(0) == libc::SIGCHLD {
                ended = true;
            } else {
                clone::signal_everybody(number(44));
            }
        }
        ended
    }

    /// Reaps whoever ended; true when nobody is left.
    fn reap(&mut self) -> bool {
        let mut exit = None;
        let empty = loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == self.main => exit = Some(status.as_raw()),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        if let Some(status) = exit {
            self.main = None;
            if status != 0 && !self.families.is_empty() {
                // Nobody can ask for it any more when the pod is gone.
                let dialled = rules::dialled().unwrap_or_default();
                dialled.into_iter().for_each(|address| tell(self.events, self.key, Event::Dialled(address)));
            }
            tell(self.events, self.key, Event::Exited { status, others: !empty });
        }
        empty
    }

    /// Answers one request; false when the engine wants nothing more.
    fn serve(&self) -> bool {
        self.engine.is_some_and(|engine| answer(engine, self.families))
    }
}

/// Answers one request of the engine; false when it wants nothing more.
pub fn answer(engine: &OwnedFd, families: Families) -> bool {
    let mut packet = [0; control::LONGEST];
    let count = match recv(engine, &mut packet[..], RecvFlags::DONTWAIT) {
        Ok((0, _)) => return false,
        Ok((count, _)) => count,
        Err(Errno::AGAIN | Errno::INTR) => return true,
        Err(_) => return false,
    };
    let sockets = match Request::decode(&packet[..count]) {
        Some(Request::Dialled) => {
            let dialled = rules::dialled().unwrap_or_default();
            return send(engine, &control::encode_addresses(&dialled), SendFlags::NOSIGNAL).is_ok();
        }
        Some(Request::Sockets { way, count }) => {
            // As many as there can be: fewer are told by their number.
            (0..count.min(MOST_SOCKETS)).map_while(|_| enter::way_in(way).ok()).collect()
        }
        Some(Request::Tracking) => enter::tracking().unwrap_or_default(),
        Some(Request::Doors { address, open, shut }) => {
            if let Err(errno) = redirect::doors(families, address, &open, &shut) {
                return control::refuse(engine, errno).is_ok();
            }
            Vec::new()
        }
        None => Vec::new(),
    };
    let borrowed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    control::send(engine, &borrowed).is_ok()
}
