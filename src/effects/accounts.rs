//! Accounts by name, as the machine's files have them (passwd(5), group(5)).
//!
//! The files and not the C library's look-up: that one may load modules, which a static program cannot.

use std::fs;

use super::fs::make_folder_of;
use crate::launcher::Account;
use crate::model::{self, User};
use crate::plan::Planned;

/// An account with what its programs are told of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub account: Account,
    /// Its name and its home, where the machine knows them.
    pub name: Option<String>,
    pub home: Option<String>,
}

impl Found {
    /// What has to be changed into; nothing, where nagaya itself is an ordinary account: it can only be this one.
    pub fn change(self) -> Option<Account> {
        rustix::process::geteuid().is_root().then_some(self.account)
    }
}

/// The account that a service is to run as, where it names one; its folder for data is there then. The error is for the
/// user.
pub fn of(planned: &Planned) -> Result<Option<Found>, String> {
    // Whoever runs what is in a container is known to its image.
    let Some(user) = planned.user.as_ref().filter(|_| planned.container().is_none()) else { return Ok(None) };
    let found = find(user)?;
    if rustix::process::geteuid().is_root() {
        // Only root can make it. Services that have no use for it need not hear that it could not be made.
        let _ = make_folder_of(&planned.data_dir, found.account.uid, found.account.gid);
    }
    Ok(Some(found))
}

fn find(user: &User) -> Result<Found, String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let found = look_up(user, &read("/etc/passwd"), &read("/etc/group"))?;
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if own.0 != 0 && own != (found.account.uid, found.account.gid) {
        return Err(format!("only root can run a service as another account (`user: {user}`)"));
    }
    Ok(found)
}

fn look_up(user: &User, passwd: &str, group: &str) -> Result<Found, String> {
    let entry = entries(passwd).find(|entry| matches(&user.account, entry));
    let number = |fields: &[&str], at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok());
    let uid = match (&user.account, &entry) {
        (model::Account::Id(id), _) => *id,
        (model::Account::Name(name), entry) => entry
            .as_deref()
            .and_then(|entry| number(entry, 2))
            .ok_or_else(|| format!("there is no account `{name}` on this machine (`user: {user}`)"))?,
    };
    let gid = match &user.group {
        Some(model::Account::Id(id)) => *id,
        Some(wanted @ model::Account::Name(name)) => entries(group)
            .find(|entry| matches(wanted, entry))
            .and_then(|entry| number(&entry, 2))
            .ok_or_else(|| format!("there is no group `{name}` on this machine (`user: {user}`)"))?,
        // A number that nobody has is its own group, as with containers.
        None => entry.as_deref().and_then(|entry| number(entry, 3)).unwrap_or(uid),
    };
    let text = |at: usize| entry.as_ref().and_then(|entry| entry.get(at)).map(|text| (*text).to_owned());
    let name = text(0);
    let member = |entry: &Vec<&str>| {
        let members = entry.get(3).copied().unwrap_or_default();
        name.as_deref().is_some_and(|name| members.split(',').any(|member| member == name))
    };
    let mut groups: Vec<u32> = entries(group).filter(member).filter_map(|entry| number(&entry, 2)).collect();
    groups.push(gid);
    Ok(Found { account: Account { uid, gid, groups }, name, home: text(5) })
}

fn entries(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(':').collect())
}

/// Whether a line is about an account or group: its name stands first, its number third.
fn matches(wanted: &model::Account, entry: &[&str]) -> bool {
    match wanted {
        model::Account::Name(name) => entry.first() == Some(&name.as_str()),
        model::Account::Id(id) => entry.get(2).and_then(|field| field.parse().ok()) == Some(*id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\npostgres:x:106:113:,,,:/var/lib/postgresql:/bin/bash\n";
    const GROUP: &str = "root:x:0:\nssl-cert:x:112:postgres,www\npostgres:x:113:\nstaff:x:50:\n";

    fn found(user: &str) -> Result<Found, String> {
        look_up(&User::parse(user).unwrap(), PASSWD, GROUP)
    }

    #[test]
    fn an_account_has_its_groups_and_its_home() {
        let postgres = found("postgres").unwrap();
        assert_eq!(postgres.account, Account { uid: 106, gid: 113, groups: vec![112, 113] });
        assert_eq!(postgres.home.as_deref(), Some("/var/lib/postgresql"));
        assert_eq!(found("106").unwrap(), postgres);
        assert_eq!(found("postgres:staff").unwrap().account.gid, 50);
        let nobodys = found("4711").unwrap();
        assert_eq!((nobodys.account.uid, nobodys.account.gid, nobodys.home), (4711, 4711, None));
    }

    #[test]
    fn who_is_not_there_is_named() {
        assert!(found("nosuch").unwrap_err().contains("no account `nosuch`"));
        assert!(found("root:nosuch").unwrap_err().contains("no group `nosuch`"));
    }
}
