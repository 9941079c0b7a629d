//! The engine's side: orders go out without blocking, reports come in on a channel.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::Pid;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::fork::{Forked, fork, leave};
use super::pod::{Failure, Pod};
use super::server::serve;
use super::spawn::{Account, Seat};
use super::wire::{Frames, Notice, Order};
use crate::model::Signal;
use crate::supervise::{Exit, Incarnation};

/// A process to start.
#[derive(Debug)]
pub struct Launch {
    pub incarnation: Incarnation,
    /// Blocks of texts, each ending with a zero.
    pub argv: Vec<u8>,
    pub environment: Vec<u8>,
    pub folder: Vec<u8>,
    /// The account that runs it, where that is another.
    pub account: Option<Account>,
    /// The pod it runs in, and the pod's end of the line to whoever holds the other.
    pub pod: Option<(Pod, OwnedFd)>,
    /// What it reads; nothing where there is none.
    pub input: Option<Input>,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// What a process reads.
#[derive(Debug)]
pub struct Input {
    pub stdin: OwnedFd,
    pub seat: Seat,
}

/// What the launcher says.
#[derive(Debug)]
pub enum Report {
    /// Its process, and pid 1 of its pod if it has one.
    Launched(Incarnation, u32, Option<u32>),
    NotLaunched(Incarnation, Failure),
    /// A program in its pod dialled this in vain; told before an end that went wrong.
    Dialled(Incarnation, SocketAddrV4),
    /// The main process ended; the numbers of the processes that are left and known.
    Exited(Incarnation, Exit, Vec<u32>),
    Gone(Incarnation),
    /// The launcher itself is gone, and all that it started with it.
    Lost,
}

/// A handle for giving orders.
#[derive(Debug, Clone)]
pub struct Client {
    orders: mpsc::UnboundedSender<Option<(Order, Vec<OwnedFd>)>>,
}

/// A launcher's process, before anybody talks to it.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    engine: StdStream,
}

impl Process {
    /// Forks a launcher from this process, which has one thread.
    pub fn fork() -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        match fork()? {
            Forked::Parent(pid) => Ok(Self { pid, engine: ours }),
            Forked::Child => {
                // The engine's end, held open here too, would never close; nor would the terminal, or a pipe to
                // whoever waits for the end of the `up`'s words.
                drop(ours);
                let served = leave_terminal().and_then(|()| serve(theirs));
                leave(if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
        }
    }

    /// Starts `program launcher`: for an engine that has threads by now.
    pub fn spawn(program: &Path) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        let child = Command::new(program)
            // The name under which `ps` shows it, whatever the file is called.
            .arg0("nagaya")
            .arg("launcher")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { pid, engine: ours })
    }
}

fn leave_terminal() -> io::Result<()> {
    // Ctrl-C is for whoever ordered what runs; that one stops it in order.
    rustix::process::setpgid(None, None)?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

impl Client {
    /// Talks to a launcher from the present runtime.
    pub fn new(process: Process, reports: mpsc::UnboundedSender<Report>) -> io::Result<Self> {
        process.engine.set_nonblocking(true)?;
        let stream = UnixStream::from_std(process.engine)?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let connection = Connection { stream, inbox, queue: VecDeque::new(), frames: Frames::default(), reports };
        tokio::spawn(connection.run(process.pid));
        Ok(Self { orders })
    }

    /// Starts a process; the answer is a report. False where there is no launcher any more, and so no answer.
    pub fn launch(&self, launch: Launch) -> bool {
        let Launch { incarnation, argv, environment, folder, account, pod, input, stdout, stderr } = launch;
        let (pod, line) = pod.unzip();
        let (stdin, seat) = input.map(|input| (input.stdin, input.seat)).unzip();
        let order = Order::Launch { key: incarnation.0, argv, environment, folder, account, pod, input: seat };
        self.send(order, [stdout, stderr].into_iter().chain(stdin).chain(line).collect())
    }

    /// Signals all processes of an instance.
    pub fn signal(&self, incarnation: Incarnation, signal: Signal) {
        let order = Order::Signal { key: incarnation.0, signal: signal.number() };
        self.send(order, Vec::new());
    }

    /// Keeps a descriptor open until the launcher has ended all that it started, also when the engine is killed.
    pub fn hold(&self, descriptor: OwnedFd) {
        self.send(Order::Hold, vec![descriptor]);
    }

    /// Has the launcher run a command should this process be killed, once all that was started is gone. What keeps the
    /// workspace to itself is held until then.
    pub fn at_last(&self, words: &[String]) {
        let argv = words.iter().flat_map(|word| word.bytes().chain([0])).collect();
        self.send(Order::Last(argv), Vec::new());
    }

    /// Has the launcher end all that it started, and itself, whoever has a share of this still.
    pub fn end(&self) {
        let _ = self.orders.send(None);
    }

    fn send(&self, order: Order, descriptors: Vec<OwnedFd>) -> bool {
        self.orders.send(Some((order, descriptors))).is_ok()
    }
}

struct Connection {
    stream: UnixStream,
    /// `None` is the end.
    inbox: mpsc::UnboundedReceiver<Option<(Order, Vec<OwnedFd>)>>,
    queue: VecDeque<Outgoing>,
    frames: Frames,
    reports: mpsc::UnboundedSender<Report>,
}

struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    descriptors: Vec<OwnedFd>,
}

impl Connection {
    async fn run(mut self, launcher: Pid) {
        let lost = !self.exchange().await.unwrap_or(false);
        let reports = self.reports.clone();
        drop(self);
        // Reaped off the loop: after the socket is closed it has only its children to kill.
        let reap = move || rustix::process::waitpid(Some(launcher), rustix::process::WaitOptions::empty());
        let _ = tokio::task::spawn_blocking(reap).await;
        if lost {
            let _ = reports.send(Report::Lost);
        }
    }

    /// Until the engine wants no more (true) or the launcher's end closes.
    async fn exchange(&mut self) -> io::Result<bool> {
        loop {
            let interest =
                if self.queue.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
            tokio::select! {
                order = self.inbox.recv() => match order.flatten() {
                    Some(order) => self.enqueue(order),
                    None => return Ok(true),
                },
                ready = self.stream.ready(interest) => {
                    let ready = ready?;
                    if ready.is_readable() && !self.receive()? {
                        return Ok(false);
                    }
                }
            }
            while let Ok(order) = self.inbox.try_recv() {
                match order {
                    Some(order) => self.enqueue(order),
                    None => return Ok(true),
                }
            }
            self.flush()?;
        }
    }

    fn enqueue(&mut self, (order, descriptors): (Order, Vec<OwnedFd>)) {
        self.queue.push_back(Outgoing { bytes: order.encode(), sent: 0, descriptors });
    }

    /// Sends what the socket takes. Descriptors travel beside the first byte of their message.
    fn flush(&mut self) -> io::Result<()> {
        while let Some(next) = self.queue.front_mut() {
            // Whether or not it is known to be writable: what is ordered before the first look at the socket goes at once.
            match send_part(self.stream.as_fd(), next) {
                Ok(count) => {
                    next.sent += count;
                    next.descriptors.clear();
                    if next.sent == next.bytes.len() {
                        self.queue.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.await_room(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Has the next look at the socket wait until it takes more.
    fn await_room(&self) -> io::Result<()> {
        match self.stream.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into())) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes in what is there; false at the end of the stream.
    fn receive(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 16 << 10];
        loop {
            match self.stream.try_read(&mut bytes) {
                Ok(0) => return Ok(false),
                Ok(count) => self.frames.extend(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        while let Some(body) = self.frames.next()? {
            let report = report(Notice::decode(body)?);
            let _ = self.reports.send(report);
        }
        Ok(true)
    }
}

fn send_part(socket: BorrowedFd<'_>, message: &Outgoing) -> io::Result<usize> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = message.descriptors.iter().map(AsFd::as_fd).collect();
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    let bytes = [IoSlice::new(&message.bytes[message.sent..])];
    Ok(sendmsg(socket, &bytes, &mut control, SendFlags::NOSIGNAL)?)
}

fn report(notice: Notice) -> Report {
    match notice {
        Notice::Launched { key, pid, init } => Report::Launched(Incarnation(key), pid, init),
        Notice::Refused { key, failure } => Report::NotLaunched(Incarnation(key), failure),
        Notice::Exited { key, status, left } => Report::Exited(Incarnation(key), exit(status), left),
        Notice::Gone { key } => Report::Gone(Incarnation(key)),
        Notice::Dialled { key, address } => Report::Dialled(Incarnation(key), address),
    }
}

/// The kernel's wait status: the low seven bits are the signal, the byte above them the code.
fn exit(status: i32) -> Exit {
    match status & 0x7f {
        0 => Exit::Code((status >> 8) & 0xff),
        signal => Exit::Signal(Signal::from_number(signal)),
    }
}
