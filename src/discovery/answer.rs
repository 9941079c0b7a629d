//! From a query to its reply.

use std::net::IpAddr;

use hickory_proto::rr::RecordType;

use super::forward::Forwarder;
use super::message::{Query, Unanswerable, addresses};
use super::{Egress, Pod};
use crate::plan::of_twin;
use crate::route::zone::{Found, Zone};

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// What a query comes to.
enum Step {
    Reply(Vec<u8>),
    /// A service was asked for, which is told first.
    Ask(usize, Vec<u8>),
    Forward,
}

/// The reply to the bytes of a query, no longer than the client takes it; `None` where there is nobody to reply to.
pub async fn answer(bytes: &[u8], transport: Transport, pod: &impl Pod, forwarder: &Forwarder) -> Option<Vec<u8>> {
    let query = match Query::read(bytes) {
        Ok(query) => query,
        Err(Unanswerable::Refuse(reply)) => return Some(reply),
        Err(Unanswerable::Drop) => return None,
    };
    let reply = match step(&query, pod, forwarder) {
        Step::Reply(reply) => reply,
        Step::Ask(service, reply) => {
            pod.asked(service).await;
            reply
        }
        Step::Forward => {
            let reply = forwarder.forward(&query, transport).await;
            if asks_for_addresses(&query) {
                pod.told(&query.name, &addresses(&reply));
            }
            reply
        }
    };
    let fits = transport == Transport::Tcp || reply.len() <= usize::from(query.limit());
    Some(if fits { reply } else { query.truncated() })
}

fn step(query: &Query<'_>, pod: &impl Pod, forwarder: &Forwarder) -> Step {
    let zone = pod.zone();
    let asker = pod.asker();
    if let Some(reply) = query.reverse().and_then(|address| reverse(query, &zone, pod, address)) {
        return Step::Reply(reply);
    }
    let is_other = |service: usize| asker.is_none_or(|asker| asker.service != service);
    match zone.lookup(&query.name, asker) {
        Found::Service { service, address } if is_other(service) => {
            let six = if query.kind == RecordType::A { None } else { pod.twin(service) };
            let address = IpAddr::from(pod.seen(address));
            Step::Ask(service, query.addresses([address].into_iter().chain(six.map(IpAddr::from))))
        }
        Found::Service { address, .. } | Found::Address(address) => Step::Reply(query.address(pod.seen(address))),
        Found::Port { service, number } => {
            let host = zone.full_name(service).unwrap_or_default();
            let reply = query.port(number, &host);
            if is_other(service) { Step::Ask(service, reply) } else { Step::Reply(reply) }
        }
        Found::Empty => Step::Reply(query.empty()),
        Found::Missing { zone } => Step::Reply(query.missing(&zone)),
        Found::Elsewhere => outside(query, pod, forwarder),
    }
}

/// The name of an address of ours. All of 127.0.0.0/8 is the pod's own (RFC 6303 section 4.2).
fn reverse(query: &Query<'_>, zone: &Zone, pod: &impl Pod, address: IpAddr) -> Option<Vec<u8>> {
    let name = match address {
        IpAddr::V4(address) => zone.reverse(pod.meant(address)),
        IpAddr::V6(address) if address.is_loopback() => Some("localhost".to_owned()),
        IpAddr::V6(address) => of_twin(address).and_then(|address| zone.reverse(address)),
    };
    match name {
        Some(name) => Some(query.pointer(&name)),
        None => address.is_loopback().then(|| query.missing("127.in-addr.arpa")),
    }
}

fn asks_for_addresses(query: &Query<'_>) -> bool {
    matches!(query.kind, RecordType::A | RecordType::AAAA)
}

/// A name that is not ours. The host's own hosts file goes before its servers, as systemd-resolved and dnsmasq have
/// it: a program that reads no files finds what its neighbours find in theirs.
fn outside(query: &Query<'_>, pod: &impl Pod, forwarder: &Forwarder) -> Step {
    if pod.egress() == Egress::Deny {
        return Step::Reply(
            query.prohibited("nagaya: this service has `egress: deny`, so it knows the workspace only"),
        );
    }
    if !asks_for_addresses(query) {
        return Step::Forward;
    }
    if let Some(addresses) = forwarder.host.addresses(&query.name) {
        pod.told(&query.name, &addresses);
        return Step::Reply(query.addresses(addresses));
    }
    let is_short = !query.name.is_empty() && !query.name.contains('.');
    if is_short && !forwarder.host.knows_short_names() {
        return Step::Reply(query.missing(""));
    }
    Step::Forward
}
