//! CONNECT at the front door: bytes both ways to a service of the workspace, and to nobody else.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::answer::{Asker, Refusal};
use super::body::Body;
use super::dial::{Offer, Stream};
use super::door::Door;
use super::headers::Identity;
use super::http::{Caller, Target, not_dialled};
use crate::effects::clock;
use crate::route::{Table, Upstream};
use crate::telemetry::requests::Words;

/// The ports that clients take for http and https where none is named.
const STANDARD: [u16; 2] = [80, 443];

/// Opens a tunnel to a port of a service, by production's number. What speaks HTTP there is reached through the front
/// door itself, as it would be without a tunnel; so are 80 and 443, of which the second is https.
pub async fn open(
    mut request: Request<Incoming>,
    number: Option<u16>,
    upstream: &Arc<Upstream>,
    table: &Table,
    door: &Door,
) -> Response<Body> {
    let number = number.unwrap_or(STANDARD[1]);
    let declared = door.pages.port(&upstream.name, number).filter(|&port| port < upstream.ports.len());
    let raw = declared.filter(|&port| !upstream.ports[port].protocol.is_http());
    let at_the_door = declared.is_some() || STANDARD.contains(&number) || number == table.front_door;
    let connected = match raw {
        Some(port) => to_service(Target { upstream: upstream.clone(), port }, door).await,
        None if at_the_door => to_door(table.front_door).await.map_err(|error| failed(upstream, error.to_string())),
        None => Err(failed(upstream, format!("it has no port {number}"))),
    };
    let mut stream = match connected {
        Ok(stream) => stream,
        Err(refusal) => return refusal.response(Asker::of(&request, false), &[]).map(Body::own),
    };
    spawn_local(async move {
        if let Ok(upgraded) = hyper::upgrade::on(&mut request).await {
            let _ = copy_bidirectional(&mut TokioIo::new(upgraded), &mut stream).await;
        }
    });
    Response::new(Body::own(""))
}

fn failed(upstream: &Upstream, reason: String) -> Refusal {
    Refusal::Failed(upstream.name.clone(), reason)
}

async fn to_door(number: u16) -> io::Result<Stream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, number)).await.map(Stream::Tcp)
}

/// Recorded as any other connection of bytes.
async fn to_service(target: Target, door: &Door) -> Result<Stream, Refusal> {
    let (context, caller) = (&door.context, &Caller::Outside);
    let (begun, now) = (clock::instant(), clock::utc());
    let identity = Identity::of(now, None, None);
    let words = Words::new(identity.request_id(), "", "");
    let mut recording =
        context.recording(words, identity.trace_id, (begun, now), caller, target.upstream.name.clone(), "tcp");
    let location = &target.endpoint().location;
    let connected = match context.available(&target).await {
        Ok(()) => context
            .pool
            .dialer
            .dial(location, caller, Offer::Bytes)
            .await
            .map_err(|error| not_dialled(&target.upstream.name, location, &error)),
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = &connected {
        recording.fail(refusal.to_string());
    }
    connected
}
