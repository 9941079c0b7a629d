//! What nagaya runs of itself for containers, and nobody else: their router, and the cleaning after an engine that was
//! killed.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;

use super::block;
use super::error::Error;
use super::output::Output;
use crate::effects::containers;
use crate::launcher::pod::router;
use crate::plan::Subnet;

/// `nagaya router SOCKET SUBNET`, in a container: serves the engine at the other end of the socket.
pub fn router(words: &[OsString]) -> ExitCode {
    let [socket, subnet] = words else { return ExitCode::from(2) };
    let subnet = subnet.to_str().and_then(|word| word.parse::<Ipv4Addr>().ok()).map(Subnet::of);
    let served = match subnet {
        Some(subnet) => router::serve(Path::new(socket), subnet).map_err(|error| Error::failed(error.to_string())),
        None => Err(Error::usage("`nagaya router` is for nagaya's own use")),
    };
    served.map_or_else(|error| Output::plain().fail(&error), |()| ExitCode::SUCCESS)
}

/// `nagaya clear-containers NOTE`: removes what a note tells of.
pub fn clear(words: &[OsString]) -> ExitCode {
    let [note] = words else { return ExitCode::from(2) };
    let cleared = block(async { containers::clear(Path::new(note)).await.map_err(Error::failed) });
    cleared.map_or_else(|error| Output::plain().fail(&error), |()| ExitCode::SUCCESS)
}
