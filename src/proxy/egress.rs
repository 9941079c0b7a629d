//! Calls that leave the workspace: dialled from the host, passed on as bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::headers::{Given, Identity};
use super::http::{Caller, Context};
use super::relay;
use super::wire::Wire;
use crate::effects::clock;
use crate::telemetry::requests::Words;

/// Serves one connection to somewhere else, which its caller knows by a name or not; it is recorded when it is made.
pub async fn serve(
    stream: TcpStream,
    caller: Caller,
    (address, name): (SocketAddr, Option<Arc<str>>),
    context: Context,
) {
    let (begun, now) = (clock::instant(), clock::utc());
    let _ = stream.set_nodelay(true);
    let wire = Wire::new(stream, context.pool.spare.clone());
    let identity = Identity::of(now, &Given::default());
    let words = Words::new(identity.request_id(), "", "");
    let to: Arc<str> = address.to_string().into();
    let mut recording = context.recording(words, identity.trace_id, (begun, now), &caller, to, "tcp");
    recording.known_as(name);
    let outside = match TcpStream::connect(address).await {
        Ok(outside) => outside,
        Err(error) => {
            recording.fail(format!("{address}: {error}"));
            return wire.reset();
        }
    };
    recording.finish();
    let _ = outside.set_nodelay(true);
    let outside = Wire::new(outside, context.pool.spare.clone());
    let _ = relay::join(&wire, &outside).await;
}
