//! Versions that are tried, and how a request is sent to one.

use serde::{Deserialize, Serialize};

use super::Service;
use crate::supervise::State;

/// A row of `try --list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// As a service: `users-fix`.
    pub name: String,
    pub service: String,
    pub version: String,
    /// `None` where nothing of it runs or is going to.
    pub state: Option<State>,
    pub folder: String,
    /// What its worktree was made of, where it has one.
    pub branch: Option<String>,
    pub worktree: Option<String>,
    /// Why it is not ready, or why its worktree is kept though it has ended.
    pub reason: Option<String>,
    pub header: String,
}

/// How requests are sent to a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Steering {
    pub header: String,
    pub curl: Option<String>,
    pub browser: Option<String>,
}

impl Steering {
    /// To the version called `name` of a service, for requests that begin at an address of the front door.
    pub fn new(service: &str, name: &str, entrance: Option<&str>) -> Self {
        let header = Self::header(service, name);
        let parameter = encoded(&format!("/svc/{service}=>/#/local/{name}"));
        Self {
            curl: entrance.map(|url| format!("curl -H '{header}' {url}/")),
            browser: entrance.map(|url| format!("{url}/?nagaya-dtab={parameter}")),
            header,
        }
    }

    /// The header alone.
    pub fn header(service: &str, name: &str) -> String {
        format!("l5d-dtab: /svc/{service} => /#/local/{name}")
    }
}

/// A text as a value in a query (RFC 3986 section 3.4): what may stand there stays readable.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Where requests begin that reach a service: the address at the front door of what needs it and is needed by nobody,
/// else of the service itself, else of whatever is needed by nobody.
pub fn entrance<'a>(rows: &'a [Service], service: &str) -> Option<&'a str> {
    let row = |name: &str| rows.iter().find(|row| row.name == name);
    let is_first = |row: &&Service| row.name == row.service && !row.is_external();
    let url = |row: &'a Service| {
        let port = row.ports.iter().find(|port| port.is_for_browsers());
        port.and_then(|port| port.url.as_deref())
    };
    let is_top = |row: &&Service| row.wanted && row.needed_by.is_empty() && is_first(row);
    let mut needing = vec![row(service)?];
    let mut next = 0;
    while let Some(&known) = needing.get(next) {
        next += 1;
        for above in known.needed_by.iter().filter_map(|name| row(name)) {
            if !needing.iter().any(|it| it.name == above.name) {
                needing.push(above);
            }
        }
    }
    let above = needing.iter().copied().filter(is_top).find_map(url);
    above.or_else(|| url(needing[0])).or_else(|| rows.iter().filter(is_top).find_map(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_reached_by_header_curl_and_link() {
        let steering = Steering::new("users", "users-fix", Some("http://web.shop.localhost:4400"));
        assert_eq!(steering.header, "l5d-dtab: /svc/users => /#/local/users-fix");
        assert_eq!(
            steering.curl.as_deref(),
            Some("curl -H 'l5d-dtab: /svc/users => /#/local/users-fix' http://web.shop.localhost:4400/")
        );
        assert_eq!(
            steering.browser.as_deref(),
            Some("http://web.shop.localhost:4400/?nagaya-dtab=/svc/users%3D%3E/%23/local/users-fix")
        );
        assert_eq!(Steering::new("users", "users-fix", None).curl, None);
    }
}
