//! The name of a request (linkerd 1: identifiers of `router/http` and of HTTP/2).

use std::fmt;

use super::label::Label;
use super::path::Path;
use super::syntax_error::SyntaxError;

/// What names a request. Several may be tried in turn: the first that names it wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// `io.l5d.methodAndHost`: `/1.1/METHOD/host`, followed by the URL's path where asked for.
    MethodAndHost { with_uri: bool },
    /// `io.l5d.header.token`: a header's value as one element; linkerd's default, of `Host` or `:authority`.
    HeaderToken { header: String },
    /// `io.l5d.header`: a header's value, read as a path.
    Header { header: String },
    /// `io.l5d.path`: the first segments of the URL, which may be taken off it.
    UrlPath { segments: usize, consume: bool },
    /// `io.l5d.header.path`: the first segments of a header's value, all where no number is given; of `:path` for gRPC.
    HeaderPath { header: String, segments: Option<usize> },
    /// `io.l5d.static`.
    Static(Path),
}

/// What of a request can name it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    pub method: &'r str,
    /// HTTP/1.0, which may lack a host.
    pub is_http_1_0: bool,
    /// As in the request line.
    pub uri: &'r str,
    pub headers: &'r [(&'r str, &'r str)],
}

/// A request that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    pub path: Path,
    /// The URL to send on, where it is another one.
    pub uri: Option<String>,
}

/// Why a request has no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    #[error("the request has no header `{0}`")]
    NoHeader(String),
    #[error("the URL has fewer than {0} segments")]
    TooShort(usize),
    #[error("a segment of the URL is empty")]
    EmptySegment,
    #[error("`{text}` is not a path: {error}")]
    NotAPath { text: String, error: SyntaxError },
}

/// A field that is there to name a request, and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header `{header}` names no request: `{text}` is not a path: {error}")]
pub struct BadName {
    pub header: String,
    pub text: String,
    pub error: SyntaxError,
}

/// What an identifier says of a request.
#[derive(Debug)]
pub enum Said {
    Named(Identified),
    /// The request is refused. Who writes a name into a field means it: one that cannot be read is not passed over.
    Refused(Box<BadName>),
    /// The next one is asked.
    Nothing(Unidentified),
}

/// What each identifier says, in turn, until one of them decides.
pub fn sayings<'a>(
    identifiers: &'a [Identifier],
    request: &'a Request<'_>,
) -> impl Iterator<Item = (&'a Identifier, Said)> {
    let prefix = Path::of(["svc"]).unwrap_or_default();
    let mut is_decided = false;
    identifiers.iter().map_while(move |identifier| {
        let said = (!is_decided).then(|| identifier.say(&prefix, request))?;
        is_decided = !matches!(said, Said::Nothing(_));
        Some((identifier, said))
    })
}

/// The name of a request that was addressed to a callee: what the first identifier says that says anything, else the
/// callee's.
pub fn identified(identifiers: &[Identifier], callee: Path, request: &Request<'_>) -> Result<Identified, Box<BadName>> {
    match sayings(identifiers, request).last() {
        Some((_, Said::Named(found))) => Ok(found),
        Some((_, Said::Refused(bad))) => Err(bad),
        Some((_, Said::Nothing(_))) | None => Ok(Identified { path: callee, uri: None }),
    }
}

/// As the manifest has them.
impl fmt::Display for Identifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MethodAndHost { .. } => out.write_str("method-and-host"),
            Self::HeaderToken { header } => out.write_str(header),
            Self::Header { header } if header == "l5d-name" => out.write_str(header),
            Self::Header { header } => write!(out, "header: {header}"),
            Self::UrlPath { segments, consume: false } => write!(out, "path: {segments}"),
            Self::UrlPath { segments, consume: true } => write!(out, "path: {segments}, consume: true"),
            Self::HeaderPath { .. } => out.write_str("grpc"),
            Self::Static(path) => write!(out, "static: {path}"),
        }
    }
}

impl Identifier {
    fn say(&self, prefix: &Path, request: &Request<'_>) -> Said {
        match (self.identify(prefix, request), self) {
            (Ok(found), _) => Said::Named(found),
            (Err(Unidentified::NotAPath { text, error }), Self::Header { header }) => {
                Said::Refused(Box::new(BadName { header: header.clone(), text, error }))
            }
            (Err(why), _) => Said::Nothing(why),
        }
    }

    /// Names a request, below a prefix (`/svc`).
    pub fn identify(&self, prefix: &Path, request: &Request<'_>) -> Result<Identified, Unidentified> {
        let name = match self {
            Self::MethodAndHost { with_uri } => method_and_host(request, *with_uri)?,
            Self::HeaderToken { header } => one(request.header(header)?)?,
            Self::Header { header } => read(request.header(header)?)?,
            Self::UrlPath { segments, consume } => {
                let path = prefix.join(url_path(request, *segments)?.labels());
                return Ok(Identified { path, uri: consume.then(|| consumed(request.uri, *segments)) });
            }
            Self::HeaderPath { header, segments } => header_path(request, header, *segments)?,
            Self::Static(path) => path.clone(),
        };
        Ok(Identified { path: prefix.join(name.labels()), uri: None })
    }
}

/// The fields by which a request is named, with those that HTTP/2 has for what else there is of it.
pub fn naming_fields<'r>(
    mut fields: Vec<(&'r str, &'r str)>,
    (method, host, uri): (&'r str, &'r str, &'r str),
) -> Vec<(&'r str, &'r str)> {
    fields.extend([(":authority", host), (":method", method)]);
    let is_grpc = |&(name, value): &(&str, &str)| {
        name.eq_ignore_ascii_case("content-type") && value.starts_with("application/grpc")
    };
    if fields.iter().any(is_grpc) {
        fields.push((":path", uri));
    }
    fields
}

impl<'r> Request<'r> {
    fn header(&self, name: &str) -> Result<&'r str, Unidentified> {
        let mut of_name = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = of_name.next().map(|(_, value)| *value).filter(|value| !value.is_empty());
        value.ok_or_else(|| Unidentified::NoHeader(name.to_owned()))
    }
}

fn method_and_host(request: &Request<'_>, with_uri: bool) -> Result<Path, Unidentified> {
    let mut labels = match request.is_http_1_0 {
        true => vec!["1.0".to_owned(), request.method.to_owned()],
        false => vec!["1.1".to_owned(), request.method.to_owned(), request.header("host")?.to_lowercase()],
    };
    labels.retain(|label| !label.is_empty());
    let name = Path::of(labels.iter().map(String::as_str)).unwrap_or_default();
    Ok(if with_uri { name.join(read(without_query(request.uri))?.labels()) } else { name })
}

fn url_path(request: &Request<'_>, count: usize) -> Result<Path, Unidentified> {
    let segments = segments(request.uri);
    let first = segments.get(..count).ok_or(Unidentified::TooShort(count))?;
    Path::of(first.iter().copied()).ok_or(Unidentified::EmptySegment)
}

/// A URL without its first segments. A slash at its end stays, and the query.
fn consumed(uri: &str, count: usize) -> String {
    let path = without_query(uri);
    let rest = segments(uri).split_off(count);
    let slash = if path.ends_with('/') && !rest.is_empty() { "/" } else { "" };
    format!("/{}{slash}{}", rest.join("/"), &uri[path.len()..])
}

fn header_path(request: &Request<'_>, header: &str, segments: Option<usize>) -> Result<Path, Unidentified> {
    let value = without_query(request.header(header)?);
    let value = value.strip_suffix('/').unwrap_or(value);
    let path = if value.is_empty() { Path::default() } else { read(value)? };
    let wanted = segments.unwrap_or(path.len()).max(1);
    if path.len() < wanted {
        return Err(Unidentified::TooShort(wanted));
    }
    Ok(path.split_at(wanted).0)
}

/// What is between the slashes of a URL; slashes at its end count for nothing.
fn segments(uri: &str) -> Vec<&str> {
    let path = without_query(uri).trim_end_matches('/');
    path.split('/').skip(1).collect()
}

fn without_query(uri: &str) -> &str {
    uri.split_once('?').map_or(uri, |(path, _)| path)
}

fn one(text: &str) -> Result<Path, Unidentified> {
    Label::new(text.as_bytes()).map(|label| Path::new(vec![label])).ok_or(Unidentified::EmptySegment)
}

fn read(text: &str) -> Result<Path, Unidentified> {
    text.parse().map_err(|error| Unidentified::NotAPath { text: text.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(identifier: &Identifier, uri: &str, headers: &[(&str, &str)]) -> Result<(String, Option<String>), String> {
        let prefix = "/svc".parse().unwrap();
        let request = Request { method: "GET", is_http_1_0: false, uri, headers };
        let found = identifier.identify(&prefix, &request).map_err(|error| error.to_string())?;
        Ok((found.path.to_string(), found.uri))
    }

    #[test]
    fn segments_of_the_url_name_a_request_and_may_be_taken_off() {
        let cases = [
            (1, "/users/7?q=1", Some(("/svc/users", "/7?q=1"))),
            (1, "/users", Some(("/svc/users", "/"))),
            (1, "/users/?q", Some(("/svc/users", "/?q"))),
            (2, "/a/b/c/d/", Some(("/svc/a/b", "/c/d/"))),
            (1, "/", None),
            (3, "/a/b/", None),
            (1, "//a", None),
        ];
        for (segments, uri, expected) in cases {
            let found = named(&Identifier::UrlPath { segments, consume: true }, uri, &[]).ok();
            let expected = expected.map(|(name, uri)| (name.to_owned(), Some(uri.to_owned())));
            assert_eq!(found, expected, "{uri}");
        }
    }

    #[test]
    fn grpc_methods_are_named_by_their_path() {
        let by = |segments| Identifier::HeaderPath { header: ":path".to_owned(), segments };
        let name = |segments, path| named(&by(segments), "", &[(":path", path)]).map(|(name, _)| name).ok();
        assert_eq!(name(Some(1), "/shop.Users/Get").as_deref(), Some("/svc/shop.Users"));
        assert_eq!(name(None, "/shop.Users/Get/?x").as_deref(), Some("/svc/shop.Users/Get"));
        assert_eq!(name(Some(3), "/shop.Users/Get"), None);
        assert_eq!(name(None, "/"), None);
    }

    #[test]
    fn a_field_that_is_to_name_a_request_and_does_not_is_told() {
        let by_name = Identifier::Header { header: "l5d-name".to_owned() };
        let all = [by_name, Identifier::UrlPath { segments: 1, consume: false }];
        let named = |headers: &[(&str, &str)]| {
            let request = Request { method: "GET", is_http_1_0: false, uri: "/a", headers };
            identified(&all, "/svc/web".parse().unwrap(), &request).map(|found| found.path.to_string())
        };
        assert_eq!(named(&[("l5d-name", "/b")]).unwrap(), "/svc/b");
        assert_eq!(named(&[]).unwrap(), "/svc/a");
        let told = named(&[("l5d-name", "users")]).unwrap_err().to_string();
        assert!(told.starts_with("the header `l5d-name` names no request: `users` is not a path"), "{told}");
        assert!(told.contains("`/users`"), "{told}");
    }

    #[test]
    fn headers_name_requests() {
        let header = |header: &str| Identifier::Header { header: header.to_owned() };
        assert_eq!(named(&header("l5d-name"), "/", &[("L5d-Name", "/a/b")]).unwrap().0, "/svc/a/b");
        let error = named(&header("l5d-name"), "/", &[("l5d-name", "a")]).unwrap_err();
        assert!(error.contains("names begin with a slash: `/a`"), "{error}");
        let with_uri = Identifier::MethodAndHost { with_uri: true };
        assert_eq!(named(&with_uri, "/x/y?z", &[("host", "A:80")]).unwrap().0, "/svc/1.1/GET/a:80/x/y");
        assert_eq!(named(&with_uri, "/", &[]).unwrap_err(), "the request has no header `host`");
    }
}
