//! `HOST:PORT` as two labels behind a prefix (linkerd: `io.buoyant.hostportPfx` and `porthostPfx`).

use super::super::label::Label;
use super::super::path::Path;

/// The longest DNS label: a port may be a name.
const LONGEST: usize = 63;

/// `/PFX/HOST:PORT/…` as `/PFX/HOST/PORT/…`.
pub fn host_port(rest: &[Label]) -> Result<Option<Path>, String> {
    rewrite(rest, |host, port| [host, port])
}

/// `/PFX/HOST:PORT/…` as `/PFX/PORT/HOST/…`.
pub fn port_host(rest: &[Label]) -> Result<Option<Path>, String> {
    rewrite(rest, |host, port| [port, host])
}

fn rewrite(rest: &[Label], order: fn(Label, Label) -> [Label; 2]) -> Result<Option<Path>, String> {
    let [prefix, both, rest @ ..] = rest else { return Ok(None) };
    let Some((host, port)) = both.as_str().and_then(split) else { return Ok(None) };
    let (Some(host), Some(port)) = (Label::new(host.as_bytes()), Label::new(port.as_bytes())) else {
        return Err(format!("`{both}` has no host"));
    };
    Ok(Some(Path::new([prefix.clone()].into_iter().chain(order(host, port)).chain(rest.iter().cloned()).collect())))
}

/// One colon, and behind it a name or number; colons at the end count for nothing.
fn split(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.trim_end_matches(':').split_once(':')?;
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = !port.starts_with('-') && !port.is_empty() && port.bytes().all(is_inner) && port.len() <= LONGEST;
    is_label.then_some((host, port))
}
