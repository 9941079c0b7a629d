//! Entering a pod that is there (setns(2)).

use std::io;
use std::path::Path;

use rustix::process::{Gid, Pid, PidfdFlags, Uid, pidfd_open};
use rustix::thread::{
    ThreadNameSpaceType, move_into_thread_name_spaces, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::spawn::Account;

/// All that a pod may have of its own, as /proc names it.
const KINDS: [(&str, ThreadNameSpaceType); 5] = [
    ("user", ThreadNameSpaceType::USER),
    ("mnt", ThreadNameSpaceType::MOUNT),
    ("net", ThreadNameSpaceType::NETWORK),
    ("pid", ThreadNameSpaceType::PROCESS_ID),
    ("uts", ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
];

/// Whose namespaces are entered, and who one is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entering {
    /// The host's number of pid 1 of the pod.
    pub init: u32,
    /// The account to become, where that is another.
    pub account: Option<Account>,
}

impl Entering {
    /// `PROGRAM enter INIT[:UID:GID[:GROUP…]]`: the beginning of a command line that enters, before a command.
    pub fn command(&self, program: &Path) -> Vec<String> {
        let numbers = |account: &Account| {
            let ids = [account.uid, account.gid].into_iter().chain(account.groups.iter().copied());
            ids.map(|id| format!(":{id}")).collect::<String>()
        };
        let whom = self.account.as_ref().map(numbers).unwrap_or_default();
        vec![program.to_string_lossy().into_owned(), "enter".to_owned(), format!("{}{whom}", self.init)]
    }

    /// What the word behind `enter` says.
    pub fn parse(word: &str) -> Option<Self> {
        let mut words = word.split(':');
        let init = words.next()?.parse().ok()?;
        let ids: Vec<u32> = words.map(|id| id.parse().ok()).collect::<Option<_>>()?;
        match ids.as_slice() {
            [] => Some(Self { init, account: None }),
            &[uid, gid, ref groups @ ..] => {
                Some(Self { init, account: Some(Account { uid, gid, groups: groups.to_vec() }) })
            }
            [_] => None,
        }
    }

    /// Moves this process, which has one thread, into the namespaces of the pod's pid 1; its children are in the pod. The
    /// account that made a pod has all rights over it.
    pub fn enter(&self) -> io::Result<()> {
        let init = i32::try_from(self.init).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        let pod = pidfd_open(init, PidfdFlags::empty())?;
        let mut all = ThreadNameSpaceType::empty();
        for (name, kind) in KINDS {
            let own = std::fs::read_link(format!("/proc/self/ns/{name}"))?;
            let theirs = std::fs::read_link(format!("/proc/{}/ns/{name}", init.as_raw_nonzero()))?;
            // What it shares with everybody cannot be entered, for lack of rights over it.
            if own != theirs {
                all |= kind;
            }
        }
        let folder = std::env::current_dir();
        move_into_thread_name_spaces(std::os::fd::AsFd::as_fd(&pod), all)?;
        // The move left it at the pod's root.
        folder.and_then(std::env::set_current_dir)?;
        self.account.as_ref().map_or(Ok(()), Account::take_on)
    }
}

impl Account {
    /// Has the calling thread, and no other, go on as this account: what it executes from now on is the account's.
    pub fn take_on(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        Ok(set_thread_res_uid(uid, uid, uid)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_to_enter_as_is_read_as_it_was_written() {
        let of = |account| Entering { init: 7, account };
        for entering in [
            of(None),
            of(Some(Account { uid: 1, gid: 2, groups: vec![] })),
            of(Some(Account { uid: 1, gid: 2, groups: vec![3, 4] })),
        ] {
            let command = entering.command(Path::new("/bin/nagaya"));
            assert_eq!(command[..2], ["/bin/nagaya", "enter"]);
            assert_eq!(Entering::parse(&command[2]), Some(entering));
        }
        for nonsense in ["", "x", "7:1", "7:1:x", "7:1:2:", "-7"] {
            assert_eq!(Entering::parse(nonsense), None, "{nonsense}");
        }
    }
}
