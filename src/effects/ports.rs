//! Port numbers of this machine: given, remembered, and seen to be taken.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket, socket_with, sockopt};

use super::fs;
use super::listeners::Listeners;
use super::places::{Home, Places};
use super::process::Owner;
use super::registry::{self, Registration};
use crate::plan::{FRONT_DOOR_SLOT as FRONT_DOOR, NUMBERS, PAIRS, Ports, Slot, SlotKind};

/// Below the range from which the kernel gives ports to outgoing connections.
const RANGE: Range<u16> = 20_000..32_000;
/// The front door is typed by people.
const FRONT_DOOR_RANGE: Range<u16> = 4_400..5_000;

/// Gives every slot a number: the remembered one if it is free, else one derived from the workspace, so that it is
/// likely the same again. `held` are numbers that the engine itself holds now.
pub fn allocate(home: &Home, slots: &[Slot], held: &HashSet<u16>) -> Ports {
    let remembered = recall(&home.ports());
    let complete = slots.iter().all(|slot| remembered.contains_key(&slot.key));
    // Two workspaces that start at the same time must not be given the same new number.
    let _turn = if complete { None } else { turn(home) };
    let given = give(home, slots, &remembered, held);
    remember(&home.ports(), remembered, &given);
    Ports(given)
}

/// The numbers that [`allocate`] would give now; nothing is remembered.
pub fn propose(home: &Home, slots: &[Slot]) -> Ports {
    Ports(give(home, slots, &recall(&home.ports()), &HashSet::new()))
}

/// The front door's number as it was given last.
pub fn front_door(home: &Home) -> Option<u16> {
    recall(&home.ports()).get(FRONT_DOOR).copied()
}

/// One at a time: held until it is dropped. Where that is not possible, numbers are given all the same.
fn turn(home: &Home) -> Option<File> {
    let path = home.state.parent()?.join("ports.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).ok()?;
    file.lock().ok()?;
    Some(file)
}

pub(super) fn recall(memory: &Path) -> BTreeMap<String, u16> {
    let text = fs::read_own(memory).ok().flatten().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The numbers of this user's other workspaces, which may be about to be listened on.
fn others(home: &Home) -> HashSet<u16> {
    let Some(all) = home.state.parent() else { return HashSet::new() };
    let ids = fs::names(all).unwrap_or_default();
    let memories = ids.iter().filter(|id| **id != home.id).map(|id| all.join(id).join("ports.json"));
    memories.flat_map(|memory| recall(&memory).into_values()).collect()
}

fn give(home: &Home, slots: &[Slot], remembered: &BTreeMap<String, u16>, held: &HashSet<u16>) -> HashMap<String, u16> {
    let of = |wanted: fn(SlotKind) -> bool| -> Vec<&Slot> { slots.iter().filter(|slot| wanted(slot.kind)).collect() };
    let mut given = give_addresses(&home.id, &of(|kind| kind == SlotKind::Address), NUMBERS, remembered);
    given.extend(give_addresses(&home.id, &of(|kind| kind == SlotKind::Pair), PAIRS, remembered));
    let ports = of(|kind| !matches!(kind, SlotKind::Address | SlotKind::Pair));
    given.extend(give_ports(home, &ports, remembered, held));
    given
}

/// The parts of addresses are nobody's ports: none is ever taken by a stranger.
fn give_addresses(
    id: &str,
    slots: &[&Slot],
    range: Range<u16>,
    remembered: &BTreeMap<String, u16>,
) -> HashMap<String, u16> {
    let known = |slot: &&&Slot| Some((slot.key.clone(), *remembered.get(&slot.key)?));
    let mut given: HashMap<String, u16> = slots.iter().filter_map(|slot| known(&slot)).collect();
    let mut taken: HashSet<u16> = given.values().copied().collect();
    for slot in slots {
        if given.contains_key(&slot.key) {
            continue;
        }
        let mut candidates = candidates(id, &slot.key, range.clone());
        let number = candidates.find(|number| !taken.contains(number)).unwrap_or(range.start);
        taken.insert(number);
        given.insert(slot.key.clone(), number);
    }
    given
}

fn give_ports(
    home: &Home,
    slots: &[&Slot],
    remembered: &BTreeMap<String, u16>,
    held: &HashSet<u16>,
) -> HashMap<String, u16> {
    let mut taken: HashSet<u16> = slots
        .iter()
        .filter_map(|slot| match slot.kind {
            SlotKind::Insisted(number) => Some(number),
            _ => None,
        })
        .collect();
    let mut given = HashMap::new();
    // Those that were given before come first: nobody new may take their numbers.
    for slot in slots {
        match (slot.kind, remembered.get(&slot.key)) {
            (SlotKind::Insisted(number), _) => {
                given.insert(slot.key.clone(), number);
            }
            (_, Some(&number)) if !taken.contains(&number) && (held.contains(&number) || suits(slot, number)) => {
                taken.insert(number);
                given.insert(slot.key.clone(), number);
            }
            _ => {}
        }
    }
    let new: Vec<&&Slot> = slots.iter().filter(|slot| !given.contains_key(&slot.key)).collect();
    // Numbers of workspaces that nobody boots any more fill the range in time; then only one's own count.
    let mut own = taken.clone();
    if !new.is_empty() {
        taken.extend(others(home));
    }
    for slot in new {
        let number = choose(&home.id, slot, &taken).or_else(|| choose(&home.id, slot, &own)).unwrap_or(RANGE.start);
        taken.insert(number);
        own.insert(number);
        given.insert(slot.key.clone(), number);
    }
    given
}

pub(super) fn remember(memory: &Path, mut remembered: BTreeMap<String, u16>, given: &HashMap<String, u16>) {
    let before = remembered.clone();
    remembered.extend(given.iter().map(|(key, number)| (key.clone(), *number)));
    if before != remembered
        && let Ok(text) = serde_json::to_string(&remembered)
    {
        // Forgetting a number is no harm beyond a changed URL.
        let _ = fs::replace(memory, text.as_bytes());
    }
}

fn choose(id: &str, slot: &Slot, taken: &HashSet<u16>) -> Option<u16> {
    let range = if slot.key == FRONT_DOOR { FRONT_DOOR_RANGE } else { RANGE };
    candidates(id, &slot.key, range).find(|number| !taken.contains(number) && suits(slot, *number))
}

/// Whether a slot's number is free now. Browsers look for the front door at `::1` first, and must not find another.
fn suits(slot: &Slot, number: u16) -> bool {
    is_free(number) && (slot.key != FRONT_DOOR || is_free_at(Ipv6Addr::LOCALHOST.into(), number))
}

/// All numbers of a range, beginning at one that follows from the workspace and the slot: likely the same each time.
pub(super) fn candidates(id: &str, key: &str, range: Range<u16>) -> impl Iterator<Item = u16> {
    let hash = blake3::hash(format!("{id}/{key}").as_bytes());
    let length = u32::from(range.end - range.start);
    let start = u32::from(u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]));
    (0..length).filter_map(move |step| u16::try_from(u32::from(range.start) + (start + step) % length).ok())
}

/// Whether a program could listen on a port of the loopback now.
pub fn is_free(number: u16) -> bool {
    is_free_at(Ipv4Addr::LOCALHOST.into(), number)
}

/// The same at another address.
pub fn is_free_at(address: IpAddr, number: u16) -> bool {
    let Ok(socket) = socket(family(address), SocketType::STREAM, None) else { return true };
    let _ = sockopt::set_socket_reuseaddr(&socket, true);
    // Another failure, such as a number that only root may take, is the program's to meet: it may have the right.
    bind(&socket, &SocketAddr::new(address, number)) != Err(Errno::ADDRINUSE)
}

/// From which number on this account may listen; found by trying, since a capability may allow all.
pub fn lowest() -> u16 {
    // An address that no pair is given.
    let nobody = SocketAddrV4::new(Ipv4Addr::new(127, 255, 255, 254), 1);
    let refused = socket(AddressFamily::INET, SocketType::STREAM, None).and_then(|socket| bind(&socket, &nobody));
    match refused {
        Err(Errno::ACCESS | Errno::PERM) => {
            let setting = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
            setting.ok().and_then(|number| number.trim().parse().ok()).unwrap_or(1024)
        }
        _ => 1,
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 }
}

/// Listens on a port of a loopback address.
///
/// SO_REUSEPORT lets the proxy keep the number while it closes and opens the listener (see `proxy::edge`); the kernel
/// grants that only within one account.
pub fn listen(at: SocketAddrV4) -> io::Result<TcpListener> {
    let listener = reserve(at)?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener.into())
}

/// Listens on the same port of the other loopback address, `::1`.
pub fn listen_v6(number: u16) -> io::Result<TcpListener> {
    listen_unshared(Ipv6Addr::LOCALHOST.into(), number)
}

/// Listens where nobody else does.
pub fn listen_unshared(address: IpAddr, number: u16) -> io::Result<TcpListener> {
    let socket = tcp_socket(address)?;
    bind(&socket, &SocketAddr::new(address, number))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

const WAS_TAKEN: &str = " was taken ";

/// Why a port is not listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// By somebody, who is named.
    #[error("{0}")]
    Taken(String),
    #[error("{0}")]
    Refused(String),
}

/// Listens on a port of the loopback that somebody may have who would share it unknown to the user: whoever does is
/// named.
pub fn listen_alone(number: u16) -> Result<TcpListener, Unheard> {
    if !is_free(number) {
        return Err(Unheard::Taken(taken_message(number)));
    }
    listen(SocketAddrV4::new(Ipv4Addr::LOCALHOST, number)).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Unheard::Taken(taken_message(number)),
        io::ErrorKind::PermissionDenied => {
            Unheard::Refused(format!("this account may not listen on port {number}: choose one from 1024 on"))
        }
        _ => Unheard::Refused(error.to_string()),
    })
}

/// Takes a port of a loopback address without listening there: whoever connects is refused.
pub fn reserve(at: SocketAddrV4) -> io::Result<OwnedFd> {
    let socket = tcp_socket(IpAddr::V4(*at.ip()))?;
    sockopt::set_socket_reuseport(&socket, true)?;
    bind(&socket, &at)?;
    Ok(socket)
}

fn tcp_socket(address: IpAddr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family(address), SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    Ok(socket)
}

/// Connections that wait while all are being accepted; the kernel cuts it to its own limit.
const BACKLOG: i32 = 1024;

/// Who has a port, as far as this user may know.
pub fn owner(number: u16) -> Option<Owner> {
    Listeners::look().ok()?.holder(number)
}

/// The workspace whose engine a process is.
fn engine_of(pid: u32) -> Option<Registration> {
    registry::engines(&Places::find().ok()?).into_iter().find(|engine| engine.pid == pid)
}

/// The same of what was in the way a while ago, and may not be any more.
pub fn was_taken_message(number: u16) -> String {
    taken_message(number).replacen(" is taken ", WAS_TAKEN, 1)
}

/// Whether this was said of a number that is free by now.
pub fn is_free_again(said: &str, number: u16) -> bool {
    said.contains(&format!("port {number}{WAS_TAKEN}")) && is_free(number)
}

/// "port 8080 is taken by nginx (pid 12)".
pub fn taken_message(number: u16) -> String {
    let owner = owner(number);
    if let Some(engine) = owner.as_ref().and_then(|owner| engine_of(owner.pid)) {
        let Registration { name, manifest, pid, .. } = engine;
        return format!("port {number} is taken by the workspace `{name}` of {} (pid {pid})", manifest.display());
    }
    match owner {
        Some(owner) => format!("port {number} is taken by {} (pid {})", owner.program, owner.pid),
        None => format!("port {number} is taken by a process of another account"),
    }
}
