//! Calls that leave the workspace: dialled from the host, passed on as bytes.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpSocket, TcpStream};

use super::headers::{Given, Identity};
use super::http::{Caller, Context};
use super::relay;
use super::wire::Wire;
use crate::effects::clock;
use crate::telemetry::requests::Words;

/// Where a call leads that leaves the workspace.
#[derive(Debug)]
pub struct Onward {
    pub address: SocketAddr,
    /// The name by which its caller knows it.
    pub name: Option<Arc<str>>,
    /// The address of this machine from which it is made, where that tells something.
    pub from: Option<Ipv4Addr>,
}

/// Serves one connection to somewhere else; it is recorded when it is made.
pub async fn serve(stream: TcpStream, caller: Caller, onward: Onward, context: Context) {
    let Onward { address, name, from } = onward;
    let (begun, now) = (clock::instant(), clock::utc());
    let _ = stream.set_nodelay(true);
    let wire = Wire::new(stream, context.pool.spare.clone());
    let identity = Identity::of(now, &Given::default());
    let words = Words::new(identity.request_id(), "", "");
    let to: Arc<str> = address.to_string().into();
    let mut recording = context.recording(words, identity.trace_id, (begun, now), &caller, to, "tcp");
    recording.known_as(name);
    let outside = match connect(address, from).await {
        Ok(outside) => outside,
        Err(error) => {
            recording.fail(untold(address, &error));
            return wire.reset();
        }
    };
    recording.finish();
    let _ = outside.set_nodelay(true);
    let outside = Wire::new(outside, context.pool.spare.clone());
    let _ = relay::join(&wire, &outside).await;
}

/// Why nothing came of a call: nobody else tells, as the caller's connection was made before.
fn untold(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused if address.ip().is_loopback() => {
            format!("nobody listens on port {} of this machine's loopback", address.port())
        }
        _ => format!("{address}: {error}"),
    }
}

/// A stream to an address, from one of this machine where that is given.
pub async fn connect(address: SocketAddr, from: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    let Some(from) = from else {
        return match TcpStream::connect(address).await {
            // Many servers of this machine listen on `localhost`, which may be this one alone.
            Err(error) if address.ip() == Ipv4Addr::LOCALHOST && error.kind() == io::ErrorKind::ConnectionRefused => {
                TcpStream::connect((Ipv6Addr::LOCALHOST, address.port())).await.map_err(|_| error)
            }
            settled => settled,
        };
    };
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(address).await
}
