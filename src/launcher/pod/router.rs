//! The router: a program in a container of its own, through which a workspace's containers call and are called.
//!
//! It answers for the addresses of all services in the network of the containers, has every stream that arrives for one
//! of them accepted by the engine, and makes sockets with which the engine calls containers. It does nothing with what
//! flows: as in pods, sockets are handed over, and belong to the network in which they were made. It ends with the
//! engine's end of its line.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};

use super::init::answer;
use super::redirect::{self, V4};
use super::step::{Failure, Step};
use super::{ENGINE, NAMES, control, home};
use crate::plan::Subnet;

/// Connections that wait while all are being accepted; the kernel cuts it to its own limit.
const BACKLOG: i32 = 1024;

/// Serves the engine at the other end of a socket until that closes.
pub fn serve(socket: &Path, subnet: Subnet) -> io::Result<()> {
    let engine = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&engine, &SocketAddrUnix::new(socket)?)?;
    let sockets = match prepare(subnet) {
        Ok(sockets) => sockets,
        Err(failure) => {
            control::refuse(&engine, rustix::io::Errno::from_raw_os_error(failure.errno))?;
            return Err(io::Error::other(failure.to_string()));
        }
    };
    let borrowed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    control::send(&engine, &borrowed)?;
    drop(sockets);
    loop {
        match poll(&mut [PollFd::new(&engine, PollFlags::IN)], None) {
            Ok(_) if !answer(&engine, V4) => return Ok(()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is handed over, in the order of a pod's.
fn prepare(subnet: Subnet) -> Result<Vec<OwnedFd>, Failure> {
    home::answer_for(&subnet.answered(), subnet.router()).map_err(Step::Addresses.failed())?;
    redirect::install_router(subnet).map_err(Step::Redirects.failed())?;
    sockets().map_err(Step::Sockets.failed())
}

fn sockets() -> Result<Vec<OwnedFd>, rustix::io::Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let bound = |kind, port| {
        let socket = socket_with(AddressFamily::INET, kind, flags, None)?;
        bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
        Ok::<_, rustix::io::Errno>(socket)
    };
    let listener = bound(SocketType::STREAM, ENGINE)?;
    listen(&listener, BACKLOG)?;
    let diagnosis = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
    Ok(vec![listener, bound(SocketType::DGRAM, NAMES)?, bound(SocketType::DGRAM, ENGINE)?, diagnosis])
}
