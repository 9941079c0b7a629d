//! Calls that leave the workspace: dialled from the host, passed on as bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::http::{Caller, Context};
use super::tcp::refuse;
use crate::effects::clock;

/// Serves one connection to somewhere else; it is recorded when it is made.
pub async fn serve(mut stream: TcpStream, caller: Caller, address: SocketAddr, context: Context) {
    let begun = clock::instant();
    let identity = context.new_identity();
    let to: Arc<str> = address.to_string().into();
    let mut recording = context.recording_to(&identity, &caller, to, begun, "tcp");
    let mut outside = match TcpStream::connect(address).await {
        Ok(outside) => outside,
        Err(error) => {
            recording.fail(&format!("{address}: {error}"));
            return refuse(&stream);
        }
    };
    drop(recording);
    let _ = (stream.set_nodelay(true), outside.set_nodelay(true));
    let _ = copy_bidirectional(&mut stream, &mut outside).await;
}
