//! Who else answers where a service is expected: a success of its probe may be a stranger's.
//!
//! In a pod a port is the instance's own. On the host another process may hold it, or share it by `SO_REUSEPORT`, and
//! take some of the calls. So a probe that succeeded there counts only if the listener is the instance's. A look at all
//! sockets serves many probes: as long as nobody new listens, nothing has changed.

use std::collections::HashMap;
use std::time::Duration;

use super::listeners::{Listeners, Listening};
use super::process::{Kin, Owner};
use crate::supervise::{Incarnation, Moment};

/// A look is good for this long where it shows nothing unknown.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// What is known of the listeners on the host.
#[derive(Debug, Default)]
pub struct Twins {
    last: Option<(Moment, Listeners)>,
    /// The sockets on a port that are known to be an instance's.
    own: HashMap<u16, (Incarnation, Vec<u64>)>,
}

impl Twins {
    /// What is wrong with the listeners on a port that an instance is asked on, in words.
    pub fn complaint(&mut self, now: Moment, incarnation: Incarnation, port: u16, kin: Kin<'_>) -> Option<String> {
        let own = self.own.get(&port).filter(|(whose, _)| *whose == incarnation);
        let own = own.map(|(_, inodes)| inodes.as_slice()).unwrap_or_default();
        if let Some((at, listeners)) = &self.last
            && now.since(*at) < GOOD_FOR
            && let answering = listeners.answering(port)
            && !answering.is_empty()
            && answering.iter().all(|inode| own.contains(inode))
        {
            return None;
        }
        let listeners = Listeners::look().ok()?;
        let complaint = complaint(port, listeners.on(port, kin));
        if complaint.is_none() {
            self.own.insert(port, (incarnation, listeners.answering(port)));
        }
        self.last = Some((now, listeners));
        complaint
    }
}

/// What is said of a port that others have too.
pub fn complaint(port: u16, listening: Listening) -> Option<String> {
    let by = |owner: Option<Owner>| match owner {
        Some(owner) => format!("{} (pid {})", owner.program, owner.pid),
        None => "a process".to_owned(),
    };
    match listening {
        Listening::Own | Listening::Nobody => None,
        Listening::Shared(owner) => Some(format!(
            "port {port} is shared with {}, which is not part of it and gets some of the calls",
            by(owner)
        )),
        Listening::Stranger(owner) => Some(format!("port {port} is taken by {}, which is not part of it", by(owner))),
    }
}
