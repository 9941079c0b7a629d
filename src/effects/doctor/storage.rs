//! Descriptors, folders and sockets.

use std::path::Path;

use super::{Access, Descriptors, Finding, Folder};
use crate::effects::places::LONGEST_SOCKET;

/// Descriptors of the engine for a service in a pod: its output, its line and its sockets, and a call under way.
const PER_SERVICE: u64 = 10;
/// The engine's own, with some clients.
const OWN: u64 = 64;
/// What follows a workspace's name in the name of its socket: a dash, eight digits, `.sock`, and a slash before it.
const SOCKET_SUFFIX: usize = 15;

pub fn descriptors(limits: Descriptors) -> Finding {
    let Descriptors { soft, hard } = limits;
    let check = "descriptors";
    let services = hard.saturating_sub(OWN) / PER_SERVICE;
    let message = match hard {
        u64::MAX => format!("the limit on descriptors is {soft} for services and none for the engine"),
        _ if services == 0 => format!(
            "the limit on descriptors is {soft} for services and {hard} for the engine: too few for a single service in a \
             pod, which takes {}",
            OWN + PER_SERVICE
        ),
        _ => format!(
            "the limit on descriptors is {soft} for services and {hard} for the engine, which raises its own: good for \
             about {services} services in pods"
        ),
    };
    let fix = "raise the hard limit: `ulimit -Hn 65536` in a shell of root, `nofile` in /etc/security/limits.conf, `LimitNOFILE=` of a systemd unit, `docker \
               run --ulimit nofile=65536`";
    match services {
        0..10 => Finding::problem(check, message, fix),
        10..200 => Finding::warning(check, message, fix),
        _ => Finding::ok(check, message),
    }
}

pub fn state(folder: &Folder) -> Finding {
    access("state", folder, "XDG_STATE_HOME")
        .unwrap_or_else(|| Finding::ok("state", format!("logs and data are kept in {}", folder.path.display())))
}

/// The folder of the engines' sockets, with room in the path for a workspace's name.
pub fn sockets(folder: &Folder) -> Finding {
    let check = "sockets";
    if let Some(finding) = access(check, folder, "XDG_RUNTIME_DIR") {
        return finding;
    }
    let shown = folder.path.display();
    let fix = "set XDG_RUNTIME_DIR to a shorter folder";
    match room(&folder.path) {
        None => Finding::problem(check, format!("{shown} is too long a path for a socket to be in"), fix),
        Some(room) if room < 20 => {
            let message =
                format!("{shown} leaves a workspace's name {room} letters: a socket's path may not be longer");
            Finding::warning(check, message, fix)
        }
        Some(room) => Finding::ok(check, format!("sockets are in {shown}, with room for names of {room} letters")),
    }
}

/// How long a workspace's name may be; the closing zero counts too.
fn room(folder: &Path) -> Option<usize> {
    let used = folder.as_os_str().len() + SOCKET_SUFFIX + 1;
    LONGEST_SOCKET.checked_sub(used).filter(|room| *room > 0)
}

fn access(check: &'static str, folder: &Folder, variable: &str) -> Option<Finding> {
    let shown = folder.path.display();
    let elsewhere = format!("{variable} names another place");
    Some(match &folder.access {
        Access::Writable => return None,
        Access::Denied(at) if *at == folder.path => Finding::problem(
            check,
            format!("{shown} cannot be written"),
            format!("`ls -ld {shown}` tells whose it is; {elsewhere}"),
        ),
        Access::Denied(at) => {
            let message = format!("{shown} cannot be made: {} cannot be written", at.display());
            Finding::problem(check, message, elsewhere)
        }
        Access::Unsafe => {
            let fix = format!("`chmod 700 {shown}` where it is yours; {elsewhere}");
            Finding::problem(check, format!("{shown} belongs to somebody else or is open to others"), fix)
        }
        Access::Unknown(why) => Finding::problem(check, why.clone(), elsewhere),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn descriptors_are_counted_in_services() {
        let of = |hard| descriptors(Descriptors { soft: 1024, hard });
        assert_eq!(of(64).status, Status::Problem);
        assert!(of(64).message.contains("too few for a single service in a pod, which takes 74"), "{}", of(64).message);
        assert!(of(64).fix.unwrap().contains("ulimit -Hn"));
        assert_eq!((of(1024).status, of(524_288).status), (Status::Warning, Status::Ok));
        assert!(of(1024).message.contains("about 96 services"), "{}", of(1024).message);
        assert!(of(1024).fix.unwrap().contains("limits.conf"));
        assert!(of(u64::MAX).message.contains("none for the engine"));
    }

    fn folder(path: &str, access: Access) -> Folder {
        Folder { path: path.into(), access }
    }

    #[test]
    fn folders_that_cannot_be_used_are_problems() {
        let cases = [
            (Access::Denied("/s/nagaya".into()), "/s/nagaya cannot be written"),
            (Access::Denied("/s".into()), "cannot be made: /s cannot be written"),
            (Access::Unsafe, "open to others"),
            (Access::Unknown("neither HOME nor XDG".to_owned()), "neither HOME"),
        ];
        for (access, expected) in cases {
            for finding in [state(&folder("/s/nagaya", access.clone())), sockets(&folder("/s/nagaya", access.clone()))]
            {
                assert_eq!(finding.status, Status::Problem);
                assert!(finding.message.contains(expected), "{finding:?}");
                assert!(finding.fix.unwrap().contains("names another place"));
            }
        }
        assert_eq!(state(&folder("/s/nagaya", Access::Writable)).status, Status::Ok);
    }

    #[test]
    fn a_sockets_path_has_room_for_a_name() {
        let of = |length: usize| sockets(&folder(&"x".repeat(length), Access::Writable));
        assert_eq!(of(20).status, Status::Ok);
        assert_eq!(of(80).status, Status::Warning);
        assert!(of(80).message.contains("12 letters"), "{}", of(80).message);
        assert_eq!((of(91).status, of(92).status, of(200).status), (Status::Warning, Status::Problem, Status::Problem));
        // The longest that there is room for is the longest that can be bound.
        let path = format!("{}/{}-12345678.sock", "x".repeat(80), "n".repeat(12));
        assert_eq!(path.len(), LONGEST_SOCKET - 1);
    }
}
