//! The launcher's own side: one loop over the engine's orders and the ends of children.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, recvmsg, send};
use rustix::process::{Pid, WaitOptions, wait};

use super::family::{Family, TOKEN, number};
use super::pod::{Failure, Step};
use super::pods::Pods;
use super::spawn::{Program, Seat, Spawner, variable};
use super::wire::{Frames, Notice, Order};

/// How long news may wait for more while launches are under way.
const PATIENCE: Duration = Duration::from_millis(3);
/// Processes that SIGKILL does not end within this time are the kernel's.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Serves the engine at the other end of `engine` until it is gone; then nothing that was started is left.
pub fn serve(engine: UnixStream) -> io::Result<()> {
    // `ps` and `top` show a name of its own.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_name(c"nagaya-launch");
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // Asked once, here: else each pod asks anew what the processor can do, and on a virtual machine every such question
    // goes to the host.
    #[cfg(target_arch = "x86_64")]
    let _ = std::arch::is_x86_feature_detected!("avx2");
    // A pipe that a signal handler writes to is the one portable way to wait for both children and orders.
    let (woken, waker) = UnixStream::pair()?;
    woken.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, waker)?;
    let mut launcher = Launcher {
        engine,
        woken,
        frames: Frames::default(),
        descriptors: VecDeque::new(),
        held: Vec::new(),
        last: None,
        family: Family::default(),
        spawner: Spawner::new()?,
        pods: Pods::new()?,
        out: Vec::new(),
        flushed: Instant::now(),
    };
    // Whoever ordered what runs ends it in order. One in a pod is asked to end with all others there, and has to be left
    // to tell how they did.
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    let result = launcher.run();
    launcher.end();
    if let Some(words) = &launcher.last {
        run_last(words);
    }
    result
}

struct Launcher {
    engine: UnixStream,
    woken: UnixStream,
    frames: Frames,
    descriptors: VecDeque<OwnedFd>,
    /// Kept open for the engine: see `Order::Hold`.
    held: Vec<OwnedFd>,
    /// Run when all is over: see `Order::Last`.
    last: Option<Vec<u8>>,
    family: Family,
    spawner: Spawner,
    pods: Pods,
    out: Vec<u8>,
    /// When the engine was told last.
    flushed: Instant,
}

/// So long nothing has happened before a pod is made ahead: what was just launched needs the processor more.
const LULL: Timespec = Timespec { tv_sec: 0, tv_nsec: 3_000_000 };

impl Launcher {
    /// Until the engine's end closes.
    fn run(&mut self) -> io::Result<()> {
        loop {
            let inbox = self.pods.inbox();
            let mut descriptors = [
                PollFd::new(&self.engine, PollFlags::IN),
                PollFd::new(&self.woken, PollFlags::IN),
                PollFd::from_borrowed_fd(inbox, PollFlags::IN),
            ];
            // Only where nothing else is to be done a pod is made ahead.
            let spare = self.pods.wants_spare();
            match poll(&mut descriptors, spare.then_some(&LULL)) {
                Ok(0) => {
                    self.pods.make_spare(&mut self.spawner);
                    continue;
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [orders, children, events] = descriptors.map(|it| !it.revents().is_empty());
            if events {
                let notices = self.pods.events();
                self.tell(notices);
            }
            if children {
                self.drain_wakes();
                self.reap();
            }
            if orders && !self.receive()? {
                return Ok(());
            }
            self.flush()?;
        }
    }

    fn drain_wakes(&mut self) {
        let mut bytes = [0; 256];
        while self.woken.read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }

    /// Takes in one piece of the stream; false at its end.
    fn receive(&mut self) -> io::Result<bool> {
        // Small: what is written here after a pod was born stays with the pod as a copy.
        let mut bytes = [0; 8 << 10];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(&self.engine, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC);
        let count = match received {
            // Those that are lacking would be taken for others from here on.
            Ok(message) if message.flags.contains(ReturnFlags::CTRUNC) => return Err(Errno::MFILE.into()),
            Ok(message) => message.bytes,
            Err(Errno::INTR) => return Ok(true),
            Err(Errno::CONNRESET) => 0,
            Err(error) => return Err(error.into()),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        if count == 0 {
            return Ok(false);
        }
        self.frames.extend(&bytes[..count]);
        while let Some(body) = self.frames.next()? {
            let order = Order::decode(body)?;
            self.obey(order);
        }
        Ok(true)
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Hold => self.held.extend(self.descriptors.pop_front()),
            Order::Last(argv) => self.last = Some(argv),
            Order::Signal { key, signal } => {
                if !self.pods.signal(key, signal) {
                    self.family.signal(key, signal);
                    self.report_gone();
                }
            }
            Order::Launch { .. } => {
                let notice = self.start(&order);
                self.tell(notice);
                // Told in time, but not one by one: each telling wakes the engine on the other processor.
                if self.flushed.elapsed() >= PATIENCE {
                    let _ = self.flush();
                }
            }
        }
    }

    /// Starts what is ordered. What there is to tell at once; of a pod the rest is its event.
    fn start(&mut self, order: &Order) -> Option<Notice> {
        let Order::Launch { key, argv, environment, folder, account, pod, input } = order else { return None };
        let key = *key;
        let output = self.descriptors.pop_front().zip(self.descriptors.pop_front());
        let stdin = input.is_some().then(|| self.descriptors.pop_front()).flatten();
        let engine = pod.is_some().then(|| self.descriptors.pop_front()).flatten();
        let lacking = || Notice::Refused { key, failure: Step::Exec.failed()(Errno::BADF) };
        let Some((stdout, stderr)) = output else { return Some(lacking()) };
        let program = Program {
            argv,
            environment,
            folder,
            account: account.as_ref(),
            stdin,
            seat: input.unwrap_or(Seat::Own),
            stdout,
            stderr,
        };
        match (pod, engine) {
            (Some(pod), Some(engine)) => {
                let is_ahead = pod.network.is_some() && self.pods.launch_in_spare(key, order, &program, &engine);
                let born = (!is_ahead).then(|| self.pods.launch(key, pod, &program, &engine, &mut self.spawner));
                born?.err().map(|failure| Notice::Refused { key, failure })
            }
            // Without its line it would have to run outside.
            (Some(_), None) => Some(lacking()),
            (None, _) => Some(self.launch(key, &program)),
        }
    }

    fn launch(&mut self, key: u64, program: &Program<'_>) -> Notice {
        match self.spawner.spawn(program) {
            Ok(pid) => {
                let token = variable(program.environment, TOKEN).unwrap_or_default().to_vec();
                self.family.add(key, pid, token);
                Notice::Launched { key, pid: number(pid), init: None }
            }
            Err(errno) => Notice::Refused { key, failure: Failure { step: Step::Exec, errno } },
        }
    }

    fn tell(&mut self, notices: impl IntoIterator<Item = Notice>) {
        notices.into_iter().for_each(|notice| self.out.extend(notice.encode()));
    }

    /// Reaps every child that ended. One look at the remaining children serves the whole batch.
    fn reap(&mut self) {
        let mut ended = Vec::new();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(notices) = self.pods.reaped(pid, status.as_raw()) {
                self.tell(notices);
            } else if let Some(key) = self.family.reaped(pid) {
                ended.push((key, status.as_raw()));
            }
        }
        let children: Vec<Pid> = children().into_iter().filter(|child| !self.pods.is_init(*child)).collect();
        self.family.adopt(&children);
        for (key, status) in ended {
            let left = self.family.remains(key);
            let pids = match (left.none(), left.pids.is_empty()) {
                (true, _) => {
                    self.family.forget(key);
                    Vec::new()
                }
                // The group has members that are not our children; the group's own number stands for them.
                (false, true) => vec![0],
                (false, false) => left.pids,
            };
            self.out.extend(Notice::Exited { key, status, left: pids }.encode());
        }
        self.report_gone();
    }

    fn report_gone(&mut self) {
        for key in self.family.leaderless() {
            if self.family.remains(key).none() {
                self.family.forget(key);
                self.out.extend(Notice::Gone { key }.encode());
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.out.len() {
            match send(&self.engine, &self.out[sent..], SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                // The engine is gone; the next read says so and ends the loop.
                Err(Errno::PIPE | Errno::CONNRESET) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.flushed = Instant::now();
        Ok(())
    }

    /// The engine is gone: kill everything, also what is only adopted on the way.
    fn end(&mut self) {
        let deadline = Instant::now() + LAST_WAIT;
        self.family.kill_all();
        self.pods.kill_all();
        loop {
            for child in children() {
                let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
            }
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) if Instant::now() < deadline => {
                    let mut wake = [PollFd::from_borrowed_fd(self.wake_fd(), PollFlags::IN)];
                    let pause = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                    let _ = poll(&mut wake, Some(&pause));
                    self.drain_wakes();
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn wake_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}

/// Runs a command to its end. Nobody is left who could be told how that went.
fn run_last(words: &[u8]) {
    use std::os::unix::ffi::OsStrExt;
    let mut words = words.split_inclusive(|&byte| byte == 0).filter_map(|word| word.strip_suffix(&[0]));
    let Some(program) = words.next() else { return };
    let mut command = std::process::Command::new(std::ffi::OsStr::from_bytes(program));
    command.args(words.map(std::ffi::OsStr::from_bytes)).stdin(std::process::Stdio::null());
    let _ = command.status();
}

/// The present children of this process.
#[cfg(target_os = "linux")]
fn children() -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_nonzero();
    let list = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|word| word.parse().ok().and_then(Pid::from_raw)).collect()
}

/// Elsewhere nothing is adopted, so there is nothing to find.
#[cfg(not(target_os = "linux"))]
fn children() -> Vec<Pid> {
    Vec::new()
}
