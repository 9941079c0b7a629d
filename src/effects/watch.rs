//! Files whose changes mean something: a thread that sleeps until the kernel tells of one, and lets a burst of them end
//! before it tells.
//!
//! The kernel's own interface and no library between: what there is asks to be woken for every file that is read and for
//! every line that is appended to a log, and nothing can be had from it of files that are still being written.

mod burst;
#[cfg(target_os = "linux")]
mod limit;
mod rule;
#[cfg(target_os = "linux")]
mod tree;
#[cfg(not(target_os = "linux"))]
#[path = "watch/tree_portable.rs"]
mod tree;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::mpsc;

use crate::model::ServiceName;
use burst::Bursts;
use tree::Tree;

pub use rule::{BadPattern, Rule};

/// Whose files they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// The manifest's: itself, what it includes and reads.
    Manifest,
    /// Those of a watch of a service, by its place there.
    Service(ServiceName, usize),
    /// Those of addresses.
    Disco,
}

/// What the watcher tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    Changed(Change),
    /// Something is not watched; the text says what, why, and what helps.
    Trouble(String),
}

/// Files that changed in one burst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: Key,
    /// The first that did.
    pub first: PathBuf,
    /// How many changes there were in all.
    pub count: usize,
}

/// Watches files until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    orders: Arc<Mutex<Orders>>,
    /// A byte here wakes the thread; its closing ends it.
    wake: OwnedFd,
}

#[derive(Debug, Default)]
struct Orders {
    rules: Option<Vec<Rule>>,
}

impl Watcher {
    /// Starts the thread; it watches nothing yet.
    pub fn start() -> io::Result<(Self, mpsc::UnboundedReceiver<News>)> {
        let (woken, wake) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let orders = Arc::<Mutex<Orders>>::default();
        let (news, receiver) = mpsc::unbounded_channel();
        let thread = Thread { orders: orders.clone(), woken, news };
        std::thread::Builder::new().name("nagaya-watch".to_owned()).spawn(move || thread.run())?;
        Ok((Self { orders, wake }, receiver))
    }

    /// From now on these rules hold and no others.
    pub fn set(&self, rules: Vec<Rule>) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).rules = Some(rules);
        // A full pipe wakes it as well.
        let _ = rustix::io::write(&self.wake, &[0]);
    }
}

struct Thread {
    orders: Arc<Mutex<Orders>>,
    woken: OwnedFd,
    news: mpsc::UnboundedSender<News>,
}

impl Thread {
    fn run(self) {
        let mut tree = match Tree::new() {
            Ok(tree) => tree,
            Err(trouble) => return drop(self.news.send(News::Trouble(trouble))),
        };
        let mut bursts = Bursts::default();
        loop {
            let (told, woken) = self.wait(&tree, bursts.deadline());
            if woken && !self.take_orders(&mut tree, &mut bursts) {
                return;
            }
            if told {
                tree.read(&mut bursts);
            }
            let troubles = tree.take_troubles().into_iter().map(News::Trouble);
            let changes =
                bursts.take(Instant::now(), |path| path.symlink_metadata().is_ok()).into_iter().map(News::Changed);
            if { troubles.chain(changes) }.any(|news| self.news.send(news).is_err()) {
                return;
            }
        }
    }

    /// Waits for the kernel, for orders, or for the end of a burst.
    fn wait(&self, tree: &Tree, deadline: Option<Instant>) -> (bool, bool) {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut fds = [PollFd::new(tree, PollFlags::IN), PollFd::from_borrowed_fd(self.woken.as_fd(), PollFlags::IN)];
        match poll(&mut fds, left.as_ref()) {
            Ok(_) => (!fds[0].revents().is_empty(), !fds[1].revents().is_empty()),
            Err(_) => (false, false),
        }
    }

    /// Takes new rules; false where nobody is there any more to give any.
    fn take_orders(&self, tree: &mut Tree, bursts: &mut Bursts) -> bool {
        if matches!(rustix::io::read(&self.woken, &mut [0; 64]), Ok(0)) {
            return false;
        }
        let rules = self.orders.lock().unwrap_or_else(PoisonError::into_inner).rules.take();
        if let Some(rules) = rules {
            bursts.keep(|key| rules.iter().any(|rule| rule.key == *key));
            tree.set(rules);
        }
        true
    }
}
