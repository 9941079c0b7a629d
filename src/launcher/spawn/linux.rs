//! By `clone` with the memory of the launcher.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::ptr;

use rustix::process::Pid;

use super::{Account, Program, Seat, variable};
use crate::launcher::pod::EVENT;

/// What the launcher handles or ignores, and nobody whom it starts is to.
const HANDLED: [i32; 5] = [libc::SIGCHLD, libc::SIGPIPE, libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
/// Room for the child's few frames until it execs.
const STACK: usize = 64 << 10;
/// Where programs are looked for when the environment has no `PATH`, as with `execvp`.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// What every start shares.
#[derive(Debug)]
pub struct Spawner {
    /// Used by one child at a time: the launcher has one thread, and it sleeps until the child has exec'd.
    stack: Vec<u8>,
    null: OwnedFd,
    /// Who is the children's parent, as they see it.
    parent: libc::pid_t,
    /// What a child sends of itself, and where, before it becomes the program: the kernel tells its number with it.
    hello: Option<(c_int, [u8; EVENT])>,
}

/// Everything the child needs, prepared beforehand: it must not allocate.
struct Order {
    /// Full paths to try, in order, each ending with a zero.
    candidates: Vec<Vec<u8>>,
    argv: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    folder: *const c_char,
    descriptors: [c_int; 3],
    account: *const Account,
    /// The process group that it joins, 0 for its own; none where it leads a session.
    group: Option<libc::pid_t>,
    parent: libc::pid_t,
    hello: Option<(c_int, [u8; EVENT])>,
    /// Written by the child, whose memory is ours, when it fails.
    error: c_int,
    /// Written likewise: the candidate that `error` is about.
    tried: usize,
}

impl Spawner {
    /// Opens what all children share.
    pub fn new() -> io::Result<Self> {
        // SAFETY: a constant path and flags; the result is checked and owned by nobody else.
        let null = unsafe {
            let raw = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            if raw < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(raw)
        };
        // SAFETY: takes nothing and cannot fail.
        let parent = unsafe { libc::getpid() };
        // What whoever called us ignored, as a shell does for background jobs, would stay ignored in every service.
        // Done once here and not for each child. SIGPIPE stays ignored for us, SIGCHLD gets its handler.
        for signal in (1..=64).filter(|signal| ![libc::SIGPIPE, libc::SIGCHLD].contains(signal)) {
            // SAFETY: sets a default; the C library refuses the numbers that are its own.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(Self { stack: vec![0; STACK], null, parent, hello: None })
    }

    /// The same for pid 1 of a pod, which is a fork of whoever made this: its children send `hello` to `events`.
    pub fn settle(&mut self, events: &UnixDatagram, hello: [u8; EVENT]) {
        self.parent = 1;
        self.hello = Some((events.as_raw_fd(), hello));
    }

    /// What it needs to have open.
    pub fn kept(&self) -> BorrowedFd<'_> {
        self.null.as_fd()
    }

    /// Starts a process, by default as the leader of a new group and with no input. The error is that of the system call that
    /// failed, in the child or here.
    pub fn spawn(&mut self, program: &Program<'_>) -> Result<Pid, i32> {
        match self.exec(program, pointers(program.argv)?) {
            // A script without `#!`: `execvp` gives it to the shell, and so do we.
            Err((libc::ENOEXEC, Some(script))) => {
                let mut argv = vec![c"/bin/sh".as_ptr(), script.as_ptr().cast()];
                argv.extend(pointers(program.argv)?.into_iter().skip(1));
                self.run(program, vec![b"/bin/sh\0".to_vec()], argv).map_err(|(error, _)| error)
            }
            other => other.map_err(|(error, _)| error),
        }
    }

    fn exec(&mut self, program: &Program<'_>, argv: Vec<*const c_char>) -> Result<Pid, (i32, Option<Vec<u8>>)> {
        let name = program.argv.split(|&byte| byte == 0).next().unwrap_or_default();
        if name.is_empty() {
            return Err((libc::ENOENT, None));
        }
        self.run(program, candidates(name, program.environment), argv)
    }

    fn run(
        &mut self,
        program: &Program<'_>,
        candidates: Vec<Vec<u8>>,
        argv: Vec<*const c_char>,
    ) -> Result<Pid, (i32, Option<Vec<u8>>)> {
        let plain = |error| (error, None);
        let folder = CStr::from_bytes_until_nul(program.folder).map_err(|_| plain(libc::EINVAL))?;
        let mut order = Order {
            candidates,
            argv,
            environment: pointers(program.environment).map_err(plain)?,
            folder: folder.as_ptr(),
            descriptors: [
                program.stdin.as_ref().unwrap_or(&self.null).as_raw_fd(),
                program.stdout.as_raw_fd(),
                program.stderr.as_raw_fd(),
            ],
            group: match program.seat {
                Seat::Own => Some(0),
                Seat::Group(group) => Some(libc::pid_t::try_from(group).unwrap_or(0)),
                Seat::Terminal => None,
            },
            account: program.account.map_or(ptr::null(), ptr::from_ref),
            parent: self.parent,
            hello: self.hello,
            error: 0,
            tried: 0,
        };
        let pid = self.clone_child(&mut order);
        match (pid, order.error) {
            (Err(error), _) => Err(plain(error)),
            (Ok(pid), 0) => Pid::from_raw(pid).ok_or(plain(libc::ESRCH)),
            (Ok(pid), error) => {
                // SAFETY: waits for our own child, which has ended; no status is asked for.
                unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
                Err((error, order.candidates.into_iter().nth(order.tried)))
            }
        }
    }

    /// Runs [`child`] on a stack of its own in our memory and returns when it has exec'd or ended.
    fn clone_child(&mut self, order: &mut Order) -> Result<libc::pid_t, i32> {
        // The stack grows downwards from its aligned end.
        let end = self.stack.as_mut_ptr_range().end;
        let top = end.wrapping_sub(end.addr() & 15);
        // SAFETY: signals are blocked around the call so that no handler of ours runs in the child, which shares
        // our memory. `top` points into `self.stack`, aligned, with nearly all of STACK below it; nobody else uses
        // it, as CLONE_VFORK stops this only thread until the child has called execve or _exit. `order` outlives
        // that moment for the same reason.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::sigprocmask(libc::SIG_BLOCK, &all, &mut before);
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
            let pid = libc::clone(child, top.cast(), flags, ptr::from_mut(order).cast());
            let error = *libc::__errno_location();
            libc::sigprocmask(libc::SIG_SETMASK, &before, ptr::null_mut());
            if pid < 0 { Err(error) } else { Ok(pid) }
        }
    }
}

/// The pointers of a block of texts, with the closing null.
fn pointers(block: &[u8]) -> Result<Vec<*const c_char>, i32> {
    if !block.is_empty() && block.last() != Some(&0) {
        return Err(libc::EINVAL);
    }
    let mut out = Vec::with_capacity(block.len() / 24 + 2);
    let mut start = 0;
    for end in memchr::memchr_iter(0, block) {
        out.push(block[start..=end].as_ptr().cast());
        start = end + 1;
    }
    out.push(ptr::null());
    Ok(out)
}

/// The files that a program's name may mean, by the service's own `PATH`.
fn candidates(name: &[u8], environment: &[u8]) -> Vec<Vec<u8>> {
    if name.contains(&b'/') {
        return vec![[name, b"\0"].concat()];
    }
    let path = variable(environment, "PATH").unwrap_or(DEFAULT_PATH);
    let full = |folder: &[u8]| match folder {
        b"" => [b"./", name, b"\0"].concat(),
        folder => [folder, b"/", name, b"\0"].concat(),
    };
    path.split(|&byte| byte == b':').map(full).collect()
}

/// Between clone and exec. Shares the launcher's memory: it only makes system calls and writes `order.error`.
extern "C" fn child(order: *mut c_void) -> c_int {
    // SAFETY: `clone_child` passes a valid `Order` that lives until we exec or end; the launcher sleeps meanwhile,
    // so this is the only access. Every call below is async-signal-safe (signal-safety(7)) and gets pointers that
    // were made from live, zero-terminated texts. Handlers are reset in our own copy of the table (no
    // CLONE_SIGHAND) before signals are let through again.
    unsafe {
        let order = &mut *order.cast::<Order>();
        for signal in HANDLED {
            libc::signal(signal, libc::SIG_DFL);
        }
        match order.group {
            // A group that is gone has no terminal to give.
            Some(group) => {
                if libc::setpgid(0, group) < 0 {
                    libc::setpgid(0, 0);
                }
            }
            None => {
                libc::setsid();
            }
        }
        if let Some((events, hello)) = &order.hello {
            libc::send(*events, hello.as_ptr().cast(), hello.len(), libc::MSG_NOSIGNAL);
        }
        if !order.account.is_null() && !become_account(&*order.account) {
            return fail(order);
        }
        // After that change, which would undo it.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // The parent may have died before the line above.
        if libc::getppid() != order.parent {
            libc::_exit(1);
        }
        for (target, descriptor) in (0..).zip(order.descriptors) {
            if libc::dup2(descriptor, target) < 0 {
                return fail(order);
            }
        }
        if order.group.is_none() && libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
            return fail(order);
        }
        if libc::chdir(order.folder) < 0 {
            return fail(order);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
        let mut denied = false;
        for (place, candidate) in order.candidates.iter().enumerate() {
            order.tried = place;
            libc::execve(candidate.as_ptr().cast(), order.argv.as_ptr(), order.environment.as_ptr());
            match *libc::__errno_location() {
                libc::ENOENT | libc::ENOTDIR => {}
                // As with `execvp`: another folder may have one that can be run.
                libc::EACCES => denied = true,
                _ => return fail(order),
            }
        }
        order.error = if denied { libc::EACCES } else { libc::ENOENT };
        libc::_exit(127)
    }
}

/// Takes on another account. By bare system calls: the C library would tell other threads, and here is no thread but a
/// guest in the launcher's memory.
///
/// # Safety
/// Only for [`child`].
unsafe fn become_account(account: &Account) -> bool {
    // SAFETY: numbers, and a list with its length that lives until the child has exec'd.
    unsafe {
        let (uid, gid) = (libc::c_long::from(account.uid), libc::c_long::from(account.gid));
        libc::syscall(libc::SYS_setgroups, account.groups.len(), account.groups.as_ptr()) == 0
            && libc::syscall(libc::SYS_setresgid, gid, gid, gid) == 0
            && libc::syscall(libc::SYS_setresuid, uid, uid, uid) == 0
    }
}

/// Leaves the last error where the launcher finds it.
///
/// # Safety
/// Only for [`child`].
unsafe fn fail(order: &mut Order) -> c_int {
    // SAFETY: the thread's own errno; `_exit` runs nothing of the launcher's.
    unsafe {
        order.error = *libc::__errno_location();
        libc::_exit(127)
    }
}
