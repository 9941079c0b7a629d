//! The entries that a request brings: in its fields, of the request from which it came, and at the front door in a
//! parameter of its URL or in a cookie, for testers who have nothing but a browser.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use super::permits::loopback;
use super::{Call, Fields};
use crate::dtab::namers::Kind;
use crate::dtab::overrides::{self, BadOverride};
use crate::dtab::{Dentry, Dtab, NameTree, Path, SyntaxError};
use crate::proxy::answer::Refusal;
use crate::proxy::http::Caller;
use crate::route::host_name;

/// The parameter of a URL, and the cookie, at the front door.
pub const PARAMETER: &str = "nagaya-dtab";

const MOST_ENTRIES: usize = 100;
const MOST_BYTES: usize = 8192;

/// Entries that go with a request, as they are read and as they are handed on. All calls that are surely of one request
/// share them.
#[derive(Debug, Clone)]
pub struct Local {
    dtab: Dtab,
    text: Box<str>,
    /// The service of which a call perhaps was to have them, and did not.
    withheld: OnceCell<Arc<str>>,
}

impl PartialEq for Local {
    fn eq(&self, other: &Self) -> bool {
        self.dtab == other.dtab && self.text == other.text
    }
}

impl Local {
    /// None where there is nothing to hand on.
    pub fn new(dtab: Dtab) -> Option<Self> {
        let (_, text) = overrides::forwarded(&dtab)?;
        Some(Self { dtab, text: text.into(), withheld: OnceCell::new() })
    }

    /// A call of a service perhaps was to have them, and does not: whoever brought them is to know.
    pub fn withhold(&self, service: &Arc<str>) {
        let _ = self.withheld.set(service.clone());
    }

    /// The first service of which that is so.
    pub fn withheld(&self) -> Option<&Arc<str>> {
        self.withheld.get()
    }

    pub fn dtab(&self) -> &Dtab {
        &self.dtab
    }

    /// What of them goes to another place. What names something of this machine would be somebody else's there, or nobody's.
    pub fn abroad(&self) -> Option<Self> {
        let goes = |entry: &&Dentry| !leads(&entry.tree, &is_of_here);
        Self::new(self.dtab.entries().iter().filter(goes).cloned().collect())
    }

    /// The value of the field that hands them on.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What a request brings.
#[derive(Default)]
pub struct Brought {
    pub local: Option<Rc<Local>>,
    /// Its path and query without the parameter.
    pub target: Option<String>,
}

/// Whether there is such a parameter. Nearly never is there one.
pub fn has_parameter(target: &str) -> bool {
    target.contains(PARAMETER) && parameter(target).is_some()
}

/// Reads a request's entries: those that came down to it, then its own, which go before them.
pub fn read(call: &Call<'_>, caller: &Caller, inherited: Option<&Rc<Local>>) -> Result<Brought, Refusal> {
    let mut fields = Vec::new();
    let mut cookie = None;
    call.fields.each(&mut |name, value| {
        if overrides::is_read(name) {
            fields.push((name, value));
        } else if call.is_at_door && name.eq_ignore_ascii_case("cookie") {
            cookie = cookie_value(value).or(cookie.take());
        }
    });
    let parameter = if call.is_at_door { parameter(call.target) } else { None };
    let target = parameter.as_ref().map(|parameter| parameter.rest.clone());
    let is_handed_on = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(overrides::INHERITED));
    let inherited = inherited.filter(|_| !is_handed_on);
    // The parameter takes the cookie's place.
    let linked = parameter.map(|parameter| parameter.value).or(cookie).filter(|text| !text.trim().is_empty());
    if fields.is_empty() && linked.is_none() {
        return Ok(Brought { local: inherited.cloned(), target });
    }
    let own = overrides::read(fields).map_err(|bad| refusal(&bad))?;
    if *caller == Caller::Outside && is_of_foreign_page(call.fields) {
        keep_inside(&own)?;
    }
    let mut all = inherited.map(|inherited| inherited.dtab.clone()).unwrap_or_default();
    if let Some(text) = linked {
        all.extend(read_linked(&text)?);
    }
    all.extend(own);
    if all.entries().len() > MOST_ENTRIES {
        return Err(refusal(&BadOverride::Entries(all.entries().len())));
    }
    Ok(Brought { local: Local::new(all).map(Rc::new), target })
}

/// Whether a page of another place than this machine has a browser make a request. What allows it the field is the
/// service that is called, and many allow all (CORS); that service must not have the workspace call others. Browsers tell
/// by `Origin` (RFC 6454) or, where that is not sent, by Fetch Metadata.
fn is_of_foreign_page(fields: &dyn Fields) -> bool {
    let Some(origin) = fields.first("origin") else {
        return fields.first("sec-fetch-site").is_some_and(|site| site == b"cross-site");
    };
    let origin = String::from_utf8_lossy(origin);
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    loopback(host_name(authority).trim_matches(['[', ']'])).is_none()
}

fn keep_inside(own: &Dtab) -> Result<(), Refusal> {
    let Some(entry) = first_outside(own) else { return Ok(()) };
    let text = format!("`{entry}` leads out of the workspace, which no page of another site may do");
    Err(Refusal::BadOverride { text, excerpt: String::new(), is_too_large: false })
}

/// The first entry that leads to more than services of the workspace.
fn first_outside(dtab: &Dtab) -> Option<&Dentry> {
    dtab.entries().iter().find(|entry| !stays_inside(&entry.tree))
}

/// Reads what a URL or a cookie has. Any page can have a browser follow a link: these lead to services of the workspace
/// and to nobody else.
pub fn read_linked(text: &str) -> Result<Dtab, Refusal> {
    let malformed = |text: String, excerpt: String| Refusal::BadOverride { text, excerpt, is_too_large: false };
    if text.len() > MOST_BYTES {
        let text = format!("{PARAMETER} has {} bytes, and at most {MOST_BYTES} are read", text.len());
        return Err(Refusal::BadOverride { text, excerpt: String::new(), is_too_large: true });
    }
    // A browser keeps what begins with `#` to itself.
    let cut = if text.trim_end().ends_with('/') { CUT } else { "" };
    let syntax = |error: &SyntaxError| malformed(format!("{PARAMETER}: {error}{cut}{CLEARING}"), error.excerpt());
    let dtab = Dtab::parse_joined(text).map_err(|error| syntax(&error))?;
    let Some(entry) = first_outside(&dtab) else { return Ok(dtab) };
    let reason = "leads out of the workspace, which only the header l5d-dtab can do";
    Err(malformed(format!("{PARAMETER}: `{entry}` {reason}{cut}{CLEARING}"), String::new()))
}

/// A cookie stays until it is told to go.
const CLEARING: &str = " (to be rid of the cookie, open the page with `?nagaya-dtab=`)";

/// What is said of a text that ends where a `#` may have stood.
const CUT: &str = "; if it went on with `#`, a URL ends there for the server: write `%23` for `#`";

fn refusal(bad: &BadOverride) -> Refusal {
    let excerpt = match bad {
        BadOverride::Syntax { error, .. } => error.excerpt(),
        BadOverride::Entries(_) | BadOverride::Bytes(_) => String::new(),
    };
    let is_too_large = matches!(bad, BadOverride::Bytes(_));
    Refusal::BadOverride { text: bad.to_string(), excerpt, is_too_large }
}

/// Whether no name of a tree can become one of `/$/…` or of a remote, whatever follows it.
fn stays_inside(tree: &NameTree<Path>) -> bool {
    let is_outside = |path: &Path| {
        let mut labels = path.labels().iter().map(|label| label.as_bytes());
        match labels.next() {
            None | Some(b"$") => true,
            Some(b"#") => labels.next().is_none_or(|kind| kind == Kind::Remote.word().as_bytes()),
            Some(_) => false,
        }
    };
    !leads(tree, &is_outside)
}

/// Whether any name of a tree is such a one.
fn leads(tree: &NameTree<Path>, is_such: &impl Fn(&Path) -> bool) -> bool {
    match tree {
        NameTree::Leaf(path) => is_such(path),
        NameTree::Alt(trees) => trees.iter().any(|tree| leads(tree, is_such)),
        NameTree::Union(branches) => branches.iter().any(|branch| leads(&branch.tree, is_such)),
        NameTree::Neg | NameTree::Fail | NameTree::Empty => false,
    }
}

/// Whether a name means something of this machine: what a workspace's own namers know, or the loopback.
fn is_of_here(path: &Path) -> bool {
    let labels: Vec<&str> = path.labels().iter().map(|label| label.as_str().unwrap_or_default()).collect();
    match labels.as_slice() {
        ["#", kind, ..] => Kind::ALL.iter().any(|known| known.word() == *kind),
        ["$", "inet" | "fixedinet"] | ["$", "inet" | "fixedinet", _] => true,
        ["$", "inet" | "fixedinet", host, ..] | ["$", "io.buoyant.rinet", _, host, ..] => loopback(host).is_some(),
        _ => false,
    }
}

/// The parameter of a URL.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter {
    pub value: String,
    /// The path and query without it.
    pub rest: String,
}

/// Takes the parameter out of a path and query; the last one counts.
pub fn parameter(target: &str) -> Option<Parameter> {
    let (path, query) = target.split_once('?')?;
    let value_of = |pair: &str| match pair.split_once('=').unwrap_or((pair, "")) {
        (PARAMETER, value) => Some(decoded(&value.replace('+', " "))),
        _ => None,
    };
    let value = query.split('&').filter_map(value_of).next_back()?;
    let others: Vec<&str> = query.split('&').filter(|pair| value_of(pair).is_none()).collect();
    let rest = if others.is_empty() { path.to_owned() } else { format!("{path}?{}", others.join("&")) };
    Some(Parameter { value, rest })
}

fn cookie_value(field: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(field).ok()?;
    let value = text.split(';').find_map(|pair| pair.trim().strip_prefix(PARAMETER)?.strip_prefix('='))?;
    Some(decoded(value))
}

/// The line that gives a browser the cookie for all services of a workspace, or takes it away.
pub fn set_cookie(value: &str, host_label: &str) -> String {
    let value = value.trim();
    let age = if value.is_empty() { "; Max-Age=0" } else { "" };
    let encoded: String = value.bytes().map(encoded).collect();
    format!("{PARAMETER}={encoded}; Domain={host_label}.localhost; Path=/; HttpOnly; SameSite=Lax{age}")
}

/// What a cookie's value cannot hold is written as in URLs.
fn encoded(byte: u8) -> Cow<'static, str> {
    match byte {
        b'a'..=b'z'
        | b'A'..=b'Z'
        | b'0'..=b'9'
        | b'/'
        | b'-'
        | b'_'
        | b'.'
        | b'#'
        | b'='
        | b'>'
        | b'*'
        | b'&'
        | b'|' => char::from(byte).to_string().into(),
        _ => format!("%{byte:02X}").into(),
    }
}

/// `%41` is `A` (RFC 3986 section 2.1); what is no such triple stays.
fn decoded(text: &str) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        match (first, behind) {
            (b'%', [high, low, behind @ ..]) if digit(*high).is_some() && digit(*low).is_some() => {
                bytes.push(digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0));
                rest = behind;
            }
            _ => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_is_taken_out_of_the_query() {
        let cases = [
            ("/a?nagaya-dtab=%2Fa+%3D%3E+/b&x=1", Some(("/a => /b", "/a?x=1"))),
            ("/a?x=1&nagaya-dtab=", Some(("", "/a?x=1"))),
            ("/a?nagaya-dtab", Some(("", "/a"))),
            ("/a?nagaya-dtab=/a=>/b;/c=>/d%zz", Some(("/a=>/b;/c=>/d%zz", "/a"))),
            ("/a?my-nagaya-dtab=1", None),
            ("/nagaya-dtab=1", None),
        ];
        for (target, expected) in cases {
            let found = parameter(target).map(|found| (found.value, found.rest));
            assert_eq!(found, expected.map(|(value, rest)| (value.to_owned(), rest.to_owned())), "{target}");
        }
    }

    #[test]
    fn a_cookie_comes_back_as_it_was_given() {
        let text = "/svc/users => 1*/#/local/users-v2 & /a ; /b=>(~ | \"ü\")";
        let line = set_cookie(text, "shop");
        let (pair, attributes) = line.split_once("; ").unwrap();
        assert_eq!(cookie_value(format!("a=b; {pair}; c=d").as_bytes()).as_deref(), Some(text));
        assert_eq!(attributes, "Domain=shop.localhost; Path=/; HttpOnly; SameSite=Lax");
        assert!(set_cookie(" ", "shop").ends_with("; Max-Age=0"));
        assert_eq!(cookie_value(b"xnagaya-dtab=1"), None);
    }

    #[test]
    fn what_names_something_of_this_machine_does_not_leave_it() {
        let abroad = |text: &str| {
            let local = Local::new(text.parse().unwrap())?;
            local.abroad().map(|it| it.text().to_owned())
        };
        for stays in [
            "/svc/a => /#/local/a-v2",
            "/svc/a => /svc/b | 2 * /#/fs/a & /svc/c",
            "/svc/a => /#/external/a ; /svc/b => /#/remote/staging/b | ~",
            "/svc/a => /$/inet/127.0.0.1/80 | /$/inet/80",
            "/svc/a => /$/inet/localhost/80/rest ; /svc/b => /$/io.buoyant.rinet/80/127.1.2.3",
        ] {
            assert_eq!(abroad(stays), None, "{stays}");
        }
        for goes in [
            "/svc/a=>/svc/a-v2",
            "/svc/a=>/#/io.l5d.consul/dc1/a-v2",
            "/svc/a=>/$/inet/10.1.2.3/80 | !",
            "/svc/a=>~;/svc=>/$/io.buoyant.hostportPfx/host",
        ] {
            assert_eq!(abroad(goes).as_deref(), Some(goes));
        }
        assert_eq!(abroad("/a=>/b;/svc/a=>/#/local/b;/c=>/d").as_deref(), Some("/a=>/b;/c=>/d"));
    }

    #[test]
    fn links_lead_to_services_and_nowhere_else() {
        assert!(read_linked("/svc/users => /#/local/users-v2 | ~").is_ok());
        for out in ["/svc/* => /$/inet/example.com/80", "/svc => /", "/a => /b & (/c | /$/io.buoyant.rinet/80)"] {
            let refused = read_linked(out).unwrap_err().to_string();
            assert!(refused.contains("leads out of the workspace"), "{out}: {refused}");
        }
        // `?nagaya-dtab=/svc/users=>/#/local/users-v2`, as a browser sends it.
        for cut in ["/svc/users=>/", "/svc/users=>1*/", "/svc/users => /svc/ "] {
            let refused = read_linked(cut).unwrap_err().to_string();
            assert!(refused.contains("write `%23` for `#`"), "{cut}: {refused}");
        }
        let refused = read_linked("/svc/users -> /b").unwrap_err().to_string();
        assert!(refused.contains("line 1, column 12"), "{refused}");
    }
}
