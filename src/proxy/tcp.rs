//! Bytes both ways.

use crate::effects::clock;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::http::{Caller, Context, Target};
use super::pool::connect;

/// Serves one connection; it is recorded when it is made, as many live as long as their programs.
pub async fn serve(mut stream: TcpStream, caller: &Caller, target: &Target, context: &Context) {
    let begun = clock::instant();
    let identity = context.new_identity();
    let mut recording = context.recording(&identity, caller, target, begun, "tcp");
    if let Err(refusal) = context.available(target).await {
        recording.fail(&refusal.to_string());
        return refuse(&stream);
    }
    let mut upstream = match connect(&target.endpoint().location).await {
        Ok(upstream) => upstream,
        Err(error) => {
            recording.fail(&error.to_string());
            return refuse(&stream);
        }
    };
    drop(recording);
    let _ = copy_bidirectional(&mut stream, &mut upstream).await;
}

/// Closes with a reset: a caller that was refused must not take it for an orderly end.
fn refuse(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}
