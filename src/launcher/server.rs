//! The launcher's own side: one loop over the engine's orders and the ends of children.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, IoSliceMut, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use rustix::process::{Pid, WaitOptions, wait};

use super::family::{Family, TOKEN, number};
use super::wire::{Frames, Notice, Order};

/// Processes that SIGKILL does not end within this time are the kernel's.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Serves the engine at the other end of `engine` until it is gone; then nothing that was started is left.
pub fn serve(engine: UnixStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // A pipe that a signal handler writes to is the one portable way to wait for both children and orders.
    let (woken, waker) = UnixStream::pair()?;
    woken.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, waker)?;
    let mut launcher = Launcher {
        engine,
        woken,
        frames: Frames::default(),
        descriptors: VecDeque::new(),
        family: Family::default(),
        out: Vec::new(),
    };
    let result = launcher.run();
    launcher.end();
    result
}

struct Launcher {
    engine: UnixStream,
    woken: UnixStream,
    frames: Frames,
    descriptors: VecDeque<OwnedFd>,
    family: Family,
    out: Vec<u8>,
}

impl Launcher {
    /// Until the engine's end closes.
    fn run(&mut self) -> io::Result<()> {
        loop {
            let mut descriptors = [PollFd::new(&self.engine, PollFlags::IN), PollFd::new(&self.woken, PollFlags::IN)];
            match poll(&mut descriptors, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [orders, children] = descriptors.map(|it| !it.revents().is_empty());
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
        let mut bytes = [0; 64 << 10];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(&self.engine, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC);
        let count = match received {
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
            Order::Signal { key, signal } => {
                self.family.signal(key, signal);
                self.report_gone();
            }
            Order::Launch { key, argv, environment, folder } => {
                let output = self.descriptors.pop_front().zip(self.descriptors.pop_front());
                let notice = match output
                    .ok_or(Errno::BADF.raw_os_error())
                    .and_then(|(stdout, stderr)| launch(&argv, &environment, folder, stdout, stderr))
                {
                    Ok(pid) => {
                        let token = environment.into_iter().find(|(name, _)| name == TOKEN.as_bytes());
                        self.family.add(key, pid, token.map(|(_, value)| value).unwrap_or_default());
                        Notice::Launched { key, pid: number(pid) }
                    }
                    Err(errno) => Notice::Refused { key, errno },
                };
                self.out.extend(notice.encode());
                // The engine is told at once, not after a hundred launches that are in the same piece.
                let _ = self.flush();
            }
        }
    }

    /// Reaps every child that ended. One look at the remaining children serves the whole batch.
    fn reap(&mut self) {
        let mut ended = Vec::new();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(key) = self.family.reaped(pid) {
                ended.push((key, status.as_raw()));
            }
        }
        self.family.adopt(&children());
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
        Ok(())
    }

    /// The engine is gone: kill everything, also what is only adopted on the way.
    fn end(&mut self) {
        let deadline = Instant::now() + LAST_WAIT;
        self.family.kill_all();
        loop {
            for child in children() {
                let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
            }
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) if Instant::now() < deadline => {
                    let mut wake = [PollFd::from_borrowed_fd(self.wake_fd(), PollFlags::IN)];
                    let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
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

/// Starts one process as the leader of a new group, with no input.
fn launch(
    argv: &[Vec<u8>],
    environment: &[(Vec<u8>, Vec<u8>)],
    folder: Vec<u8>,
    stdout: OwnedFd,
    stderr: OwnedFd,
) -> Result<Pid, i32> {
    let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let (program, arguments) = argv.split_first().ok_or(Errno::NOENT.raw_os_error())?;
    let mut command = Command::new(text(program));
    command
        .args(arguments.iter().map(|word| text(word)))
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (text(name), text(value))))
        .current_dir(OsString::from_vec(folder))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    die_with_launcher(&mut command);
    let child = command.spawn().map_err(|error| error.raw_os_error().unwrap_or(Errno::IO.raw_os_error()))?;
    // Not waited for through `child`: the loop reaps by number.
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH.raw_os_error())
}

/// Lets the kernel kill the child when the launcher dies, also by SIGKILL.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_launcher(command: &mut Command) {
    let launcher = rustix::process::getpid();
    let arm = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // It may have died between the fork and the line above.
        if rustix::process::getppid() != Some(launcher) {
            return Err(Errno::SRCH.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec in this single-threaded process the closure only makes two system calls; it
    // allocates nothing and takes no lock.
    unsafe { command.pre_exec(arm) };
}

#[cfg(not(target_os = "linux"))]
fn die_with_launcher(_: &mut Command) {}

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
