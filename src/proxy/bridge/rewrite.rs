//! Requests of hyper as the next hop is to see them.

use std::str::FromStr;

use hyper::body::Incoming;
use hyper::ext::Protocol as Extended;
use hyper::header::{CONNECTION, COOKIE, HOST, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, UPGRADE, VIA};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Uri, Version};

use crate::dtab::overrides;
use crate::proxy::answer::Refusal;
use crate::proxy::h1;
use crate::proxy::http::Origin;
use crate::proxy::routing::More;
use crate::route::Location;

pub const DTAB: HeaderName = HeaderName::from_static(overrides::OWN);
pub const CONTEXT_DTAB: HeaderName = HeaderName::from_static(overrides::INHERITED);

/// Whom a request is for: its target's own authority where it has one, else that of its only Host (RFC 9112 section
/// 3.2, RFC 9113 section 8.3.1).
pub fn host<B>(request: &Request<B>) -> Result<String, &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err("there are two Host fields");
    }
    let bytes = match request.uri().authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => host.map_or(&b""[..], HeaderValue::as_bytes),
    };
    h1::authority(bytes).map(str::to_owned).ok_or("Host is no name")
}

/// What a proxy in front tells a service about the outside.
pub fn tell_origin(request: &mut Request<Incoming>, host: &str, origin: &Origin) {
    let headers = request.headers_mut();
    if let Ok(address) = HeaderValue::from_str(&origin.address) {
        headers.append(HeaderName::from_static("x-forwarded-for"), address);
    }
    headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static(origin.scheme));
    if let Ok(host) = HeaderValue::from_str(host) {
        headers.entry("x-forwarded-host").or_insert(host);
    }
}

/// Writes what those who lead the request on are to know, and takes away what was meant for us.
pub fn lead_on(request: &mut Request<Incoming>, more: Option<&More>) {
    let headers = request.headers_mut();
    headers.remove(DTAB);
    headers.remove(CONTEXT_DTAB);
    let Some(more) = more else { return };
    if let Some(Ok(local)) = more.local.as_ref().map(|local| HeaderValue::from_str(local.text())) {
        headers.insert(CONTEXT_DTAB, local);
    }
    if let Some(Ok(via)) = more.via.as_deref().map(HeaderValue::from_str) {
        headers.append(VIA, via);
    }
    if let Some(Ok(path)) = more.target.as_deref().map(PathAndQuery::from_str) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(path);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// Whether the connection is to become something else; HTTP/2 is not made of HTTP/1.1 here.
pub fn wants_upgrade<B>(request: &Request<B>) -> bool {
    let value = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
    let mut options = value(CONNECTION).split(',').map(str::trim);
    request.version() == Version::HTTP_11
        && options.any(|option| option.eq_ignore_ascii_case("upgrade"))
        && !value(UPGRADE).is_empty()
        && !value(UPGRADE).starts_with("h2c")
}

/// A WebSocket over HTTP/2 (RFC 8441) as HTTP/1.1 begins it (RFC 6455 section 4.1).
pub fn as_upgrade<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    let Some(protocol) = request.extensions_mut().remove::<Extended>() else {
        return Err(Refusal::Unsupported("CONNECT is passed on over HTTP/1.1 only".to_owned()));
    };
    let upgrade = HeaderValue::from_str(protocol.as_str()).map_err(|_| Refusal::Malformed("no protocol".to_owned()))?;
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    headers.insert(UPGRADE, upgrade);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    let key = base64(&fastrand::u128(..).to_be_bytes());
    headers.entry(SEC_WEBSOCKET_KEY).or_insert(HeaderValue::from_str(&key).unwrap_or(HeaderValue::from_static("")));
    Ok(())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = (number >> (18 - 6 * place)) as usize & 63;
            text.push(if place <= group.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    text
}

/// HTTP/1.1 wants the path alone, and the authority in `Host`.
pub fn as_http1<B>(mut request: Request<B>, location: &Location) -> Request<B> {
    // Whoever goes on by the Host must not be led elsewhere than we were (RFC 9112 section 3.2.2).
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    if let Some(Ok(host)) = location.host().or(authority).map(|host| HeaderValue::from_str(&host)) {
        request.headers_mut().insert(HOST, host);
    }
    // HTTP/2 may take cookies apart; others know one field only (RFC 9113 section 8.2.3).
    let cookies: Vec<&[u8]> = request.headers().get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if request.version() == Version::HTTP_2
        && cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        request.headers_mut().insert(COOKIE, joined);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    *request.version_mut() = Version::HTTP_11;
    request
}

/// HTTP/2 wants scheme and authority, and no `Host`.
pub fn as_http2<B>(mut request: Request<B>, location: &Location) -> Request<B> {
    let host = request.headers_mut().remove(HOST).and_then(|host| host.to_str().ok().map(str::to_owned));
    let authority = location.host().or(request.uri().authority().map(|authority| authority.to_string())).or(host);
    let authority = authority.unwrap_or_else(|| "localhost".to_owned());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let scheme = if matches!(location, Location::Elsewhere { tls: true, .. }) { "https" } else { "http" };
    if let Ok(uri) = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build() {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_2;
    request
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_as_in_the_standard() {
        // RFC 4648 section 10.
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(super::base64(bytes.as_bytes()), text);
        }
    }
}
