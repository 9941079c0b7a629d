//! Hosts and methods in names (linkerd: `io.buoyant.http`). Each has a form for names that begin with something else.

use super::super::label::Label;
use super::super::path::Path;

/// `/METHOD/…` as `/…`.
pub fn any_method(rest: &[Label]) -> Option<Path> {
    dropped(rest, is_method)
}

/// `/PFX/METHOD/…` as `/PFX/…`.
pub fn any_method_behind(rest: &[Label]) -> Option<Path> {
    behind(rest, any_method)
}

/// `/HOST/…` as `/…`.
pub fn any_host(rest: &[Label]) -> Option<Path> {
    dropped(rest, is_host)
}

/// `/PFX/HOST/…` as `/PFX/…`.
pub fn any_host_behind(rest: &[Label]) -> Option<Path> {
    behind(rest, any_host)
}

/// `/DOMAIN/SUB.DOMAIN:PORT/…` as `/SUB/…`.
pub fn subdomain_of(rest: &[Label]) -> Option<Path> {
    let [domain, host, rest @ ..] = rest else { return None };
    Some(Path::new([&[subdomain(domain, host)?], rest].concat()))
}

/// `/DOMAIN/PFX/SUB.DOMAIN:PORT/…` as `/PFX/SUB/…`.
pub fn subdomain_of_behind(rest: &[Label]) -> Option<Path> {
    let [domain, prefix, host, rest @ ..] = rest else { return None };
    Some(Path::new([&[prefix.clone(), subdomain(domain, host)?], rest].concat()))
}

/// `/a.b.c/…` as `/c/b/a/…`. An error where a part of the domain is empty.
pub fn domain_to_path(rest: &[Label]) -> Result<Option<Path>, String> {
    let Some((host, rest)) = rest.split_first().filter(|(host, _)| is_host(host)) else { return Ok(None) };
    let domain = host.as_str().unwrap_or_default().trim_end_matches('.');
    let parts = domain.split('.').rev().filter(|_| !domain.is_empty());
    let parts: Option<Vec<Label>> = parts.map(|part| Label::new(part.as_bytes())).collect();
    let parts = parts.ok_or_else(|| format!("a part of the domain `{host}` is empty"))?;
    Ok(Some(Path::new([&parts, rest].concat())))
}

/// `/PFX/a.b.c/…` as `/PFX/c/b/a/…`.
pub fn domain_to_path_behind(rest: &[Label]) -> Result<Option<Path>, String> {
    let Some((prefix, rest)) = rest.split_first() else { return Ok(None) };
    Ok(domain_to_path(rest)?.map(|path| Path::new(vec![prefix.clone()]).join(path.labels())))
}

fn dropped(rest: &[Label], accepted: fn(&Label) -> bool) -> Option<Path> {
    let (first, rest) = rest.split_first()?;
    accepted(first).then(|| Path::new(rest.to_vec()))
}

fn behind(rest: &[Label], rewrite: fn(&[Label]) -> Option<Path>) -> Option<Path> {
    let (prefix, rest) = rest.split_first()?;
    Some(Path::new(vec![prefix.clone()]).join(rewrite(rest)?.labels()))
}

fn is_method(label: &Label) -> bool {
    label.as_bytes().iter().all(u8::is_ascii_uppercase)
}

/// Coarse, so that names and addresses of both kinds are hosts.
fn is_host(label: &Label) -> bool {
    label.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b".:_-".contains(byte))
}

/// What is before a domain in a host, whose port counts for nothing.
fn subdomain(domain: &Label, host: &Label) -> Option<Label> {
    if !is_host(domain) || !is_host(host) {
        return None;
    }
    let host = host.as_str()?;
    let name = host.find(':').filter(|&colon| colon > 0).map_or(host, |colon| &host[..colon]);
    let sub = name.strip_suffix(domain.as_str()?)?.strip_suffix('.')?;
    Label::new(sub.as_bytes())
}
