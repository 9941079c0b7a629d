//! Who may be led to whom, however it came about.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use crate::dtab::Address;
use crate::model::Egress;
use crate::proxy::answer::{Refusal, Sought};
use crate::proxy::http::Caller;
use crate::route::{Table, Upstream};

/// Whether a caller may call a service.
pub fn service(table: &Table, caller: &Caller, upstream: &Upstream) -> Result<(), Refusal> {
    match caller.service() {
        Some(from) if !table.allows(from, upstream) => {
            Err(Refusal::Undeclared(from.clone(), upstream.service().clone()))
        }
        _ => Ok(()),
    }
}

/// Whether a caller may be led to an address that routes name.
pub fn address(table: &Table, caller: &Caller, address: &Address) -> Result<(), Refusal> {
    let Address { host, port } = address;
    if let Some(name) = caller.service()
        && table.egress(name) == Egress::Deny
    {
        let reason = format!("{name} may not call {host}:{port}, which is outside (egress: deny)");
        return Err(Refusal::Unrouted(format!("{host}:{port}"), reason, Sought::Other));
    }
    no_loop(table, host, *port)
}

/// Whether a place is not one of this proxy's own.
pub fn no_loop(table: &Table, host: &str, port: u16) -> Result<(), Refusal> {
    let Some(ip) = loopback(host) else { return Ok(()) };
    let own = |ip| table.listeners.contains_key(&SocketAddrV4::new(ip, port));
    if port == table.front_door || own(ip) || own(Ipv4Addr::LOCALHOST) {
        return Err(Refusal::Looped(format!("{host}:{port} is this proxy itself")));
    }
    Ok(())
}

/// The address of this machine's loopback that a host is.
pub fn loopback(host: &str) -> Option<Ipv4Addr> {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    match name.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) if ip.is_loopback() => Some(ip),
        Ok(ip) if ip.is_loopback() || ip.is_unspecified() => Some(Ipv4Addr::LOCALHOST),
        Ok(_) => None,
        Err(_) => (name == "localhost" || name.ends_with(".localhost")).then_some(Ipv4Addr::LOCALHOST),
    }
}
