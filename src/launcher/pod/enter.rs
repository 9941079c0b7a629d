//! What pid 1 of a pod does before anything runs in it, in the order that works.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::net::netlink::{NETFILTER, SOCK_DIAG};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt};
use rustix::thread::{CapabilitySet, configure_capability_in_ambient_set};

use super::home::{self, Place};
use super::maps::{Identity, map_own};
use super::redirect::{self, Families};
use super::rules::Family;
use super::step::{Failure, Step};
use super::{ENGINE, Handover, NAMES, Network, Pod, WayIn};
use crate::plan::{RANGE6, twin};

/// Connections that wait while all are being accepted; the kernel cuts it to its own limit.
const BACKLOG: i32 = 1024;
const HOSTS: &str = "hosts";
/// How long a flow of datagrams is remembered after its last one.
const FLOW_SECONDS: &str = "180";

/// Who enters.
#[derive(Debug)]
pub struct Entrant<'a> {
    pub identity: Identity,
    /// The account's ids, as they are outside.
    pub ids: (u32, u32),
    /// Readable once the launcher has written the ids' maps, where that is its business.
    pub mapped: Option<&'a OwnedFd>,
}

/// Makes this process, which has ids and is alone in fresh namespaces, at home in `pod`; `gid` is whose programs may
/// `ping`. What is handed over comes from its network, where it has one.
pub fn enter(pod: &Pod, gid: u32) -> Result<Option<Connected>, Failure> {
    let etc = Path::new(text(&pod.etc));
    mounts(etc).map_err(Step::Mounts.failed())?;
    match &pod.network {
        Some(network) => connect(network, gid).map(Some),
        // Here names are what the hosts file says, and nothing else: one that is not there is no name at all.
        None => {
            mount_bind(etc.join(HOSTS), Path::new("/etc").join(HOSTS)).map_err(Step::Mounts.failed()).map(|()| None)
        }
    }
}

/// What comes out of a pod's network, and what is redirected there.
pub type Connected = (Handover, Families);

/// Sets up the network; `gid` is whose programs may `ping`.
fn connect(network: &Network, gid: u32) -> Result<Connected, Failure> {
    rustix::system::sethostname(&network.host_name).map_err(Step::HostName.failed())?;
    allow_low_ports();
    // For `ping` without rights of its own; where it cannot be set, only that is missing.
    let _ = fs::write("/proc/sys/net/ipv4/ping_group_range", format!("{gid} {gid}"));
    let place = Place { own: network.address.into(), range: (network.range.0.into(), network.range.1), world: true };
    home::settle(place).map_err(Step::Addresses.failed())?;
    let mut families = redirect::install(network).map_err(Step::Redirects.failed())?;
    let twin = Place { own: twin(network.address).into(), range: (RANGE6.0.into(), RANGE6.1), world: network.world6 };
    if families.contains(&Family::V6) && home::settle_too(twin).is_err() {
        families = redirect::V4;
    }
    let handover = sockets(families.contains(&Family::V6)).map_err(Step::Sockets.failed())?;
    Ok((handover, families))
}

fn text(bytes: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

/// Gives this process, which is alone in fresh namespaces, the ids that it has outside.
pub fn identify(entrant: &Entrant<'_>) -> Result<(), Failure> {
    match (entrant.identity, entrant.mapped) {
        (Identity::Shared, _) => Ok(()),
        (Identity::Single, _) => map_own(entrant.ids.0, entrant.ids.1).map_err(Step::Maps.broke()),
        (Identity::Mapped, Some(done)) => match rustix::io::read(done, &mut [0; 1]) {
            Ok(1) => Ok(()),
            Ok(_) => Err(Failure { step: Step::Maps, errno: Errno::PERM.raw_os_error() }),
            Err(errno) => Err(Step::Maps.failed()(errno)),
        },
        (Identity::Mapped, None) => Err(Failure { step: Step::Maps, errno: Errno::INVAL.raw_os_error() }),
    }
}

/// Private files over the host's, and nothing of it may be seen outside.
fn mounts(etc: &Path) -> Result<(), Errno> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    for name in [HOSTS, "resolv.conf", "nsswitch.conf"] {
        // A file that the host lacks, or a link that leads nowhere, has nothing that could mislead: questions of names
        // come to us wherever they are sent.
        over(&etc.join(name), &Path::new("/etc").join(name))?;
    }
    // Both would ask the host first.
    over(etc, Path::new("/run/nscd"))?;
    over(Path::new("/dev/null"), Path::new("/run/systemd/resolve/io.systemd.Resolve"))?;
    // Where a container hides parts of its own, the kernel allows no fresh one. The old one shows more processes than
    // there are, and works.
    let _ = mount("proc", "/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None);
    Ok(())
}

fn over(source: &Path, target: &Path) -> Result<(), Errno> {
    match mount_bind(source, target) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        other => other,
    }
}

/// The program itself may listen on 80: by a setting of the pod, or where that is read-only by a capability.
fn allow_low_ports() {
    if fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0").is_ok() {
        return;
    }
    let bind = CapabilitySet::NET_BIND_SERVICE;
    if let Ok(mut sets) = rustix::thread::capabilities(None) {
        sets.inheritable |= bind;
        let _ = rustix::thread::set_capabilities(None, sets);
        let _ = configure_capability_in_ambient_set(bind, true);
    }
}

fn sockets(ipv6: bool) -> Result<Handover, Errno> {
    let datagrams = |at: SocketAddr| {
        let socket = inet(&at, SocketType::DGRAM)?;
        bind(&socket, &at)?;
        Ok(socket)
    };
    let diagnosis = || socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(SOCK_DIAG));
    let loopback6 = SocketAddr::from((Ipv6Addr::LOCALHOST, ENGINE));
    Ok(Handover {
        listener: listener(ipv6)?,
        names: datagrams((Ipv4Addr::LOCALHOST, NAMES).into())?,
        datagrams: datagrams((Ipv4Addr::LOCALHOST, ENGINE).into())?,
        datagrams6: ipv6.then(|| datagrams(loopback6)).transpose()?,
        diagnosis: diagnosis()?,
    })
}

/// One for both families, where there are two.
fn listener(ipv6: bool) -> Result<OwnedFd, Errno> {
    let any: IpAddr = if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::LOCALHOST.into() };
    let at = SocketAddr::new(any, ENGINE);
    let listener = inet(&at, SocketType::STREAM)?;
    if ipv6 {
        sockopt::set_ipv6_v6only(&listener, false)?;
    }
    bind(&listener, &at)?;
    listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// A socket of an address's family.
fn inet(address: &SocketAddr, kind: SocketType) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

/// A socket with which the engine can call into the pod.
pub fn way_in(way: WayIn) -> Result<OwnedFd, Errno> {
    let (family, kind) = match way {
        WayIn::Stream => (AddressFamily::INET, SocketType::STREAM),
        WayIn::Stream6 => (AddressFamily::INET6, SocketType::STREAM),
        WayIn::Datagram => (AddressFamily::INET, SocketType::DGRAM),
        WayIn::Datagram6 => (AddressFamily::INET6, SocketType::DGRAM),
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    if kind == SocketType::STREAM {
        // It is bound to its caller's address; which port that leaves it is found when it is connected.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if family == AddressFamily::INET6 {
        // A range that is local by its route is no reason for IPv6 to bind to an address of it.
        sockopt::set_ipv6_freebind(&socket, true)?;
    }
    Ok(socket)
}

/// The sockets of [`Tracking`](super::Tracking). As from now, the kernel remembers this pod's flows of datagrams for as
/// long as nothing else on their way forgets them (RFC 4787 section 4.3); where that cannot be set, quiet ones end
/// sooner.
pub fn tracking() -> Result<Vec<OwnedFd>, Errno> {
    for setting in ["nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"] {
        let _ = fs::write(format!("/proc/sys/net/netfilter/{setting}"), FLOW_SECONDS);
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let conntrack = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(NETFILTER))?;
    let packets = |family| socket_with(family, SocketType::RAW, flags, Some(ipproto::RAW));
    let packets6 = packets(AddressFamily::INET6).ok();
    Ok([conntrack, packets(AddressFamily::INET)?].into_iter().chain(packets6).collect())
}
