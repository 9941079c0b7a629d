//! Names, addresses and accounts as they are written.

use serde_json::{Value as Json, json};

use crate::manifest::node::Node;
use crate::manifest::problem::{Problem, Problems, did_you_mean};
use crate::manifest::read::{Definitions, Read, text_of};
use crate::model::{BadHostName, BadUrl, External, HostName, Scheme, User};

impl Read for HostName {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a full host name such as `api.example.com`", problems)?;
        Self::new(text).map_err(|error| problems.push(bad_host_name(text, &error).at(node.span))).ok()
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "examples": ["api.example.com", "*.example.com"] })
    }
}

fn bad_host_name(text: &str, error: &BadHostName) -> Problem {
    let problem = Problem::error("bad_host_name", format!("`{text}` is no full host name: {error}"));
    match error {
        BadHostName::OneLabel => problem.hint("a name without dots is written under `aliases`"),
        BadHostName::Character('/' | ':') => problem.hint("write the name alone, without scheme, port and path"),
        _ => problem,
    }
}

/// `9229`, or `8081:8080`: a port of this machine and the service's own.
#[derive(Debug, Clone, Copy)]
pub struct PublishSpec {
    pub host: u16,
    pub port: u16,
}

impl Read for PublishSpec {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a port or HOST:PORT", problems)?;
        let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number > 0);
        let spec = match text.split_once(':') {
            None => number(text).map(|host| Self { host, port: host }),
            Some((host, port)) => number(host).zip(number(port)).map(|(host, port)| Self { host, port }),
        };
        if spec.is_none() {
            problems.push(bad_publish(text).at(node.span));
        }
        spec
    }

    fn schema(definitions: &mut Definitions) -> Json {
        json!({ "anyOf": [u16::schema(definitions), { "type": "string", "pattern": "^[0-9]+(:[0-9]+)?$" }] })
    }
}

fn bad_publish(text: &str) -> Problem {
    let problem = Problem::error("bad_publish", format!("`{text}` is neither a port nor HOST:PORT"));
    match text.rsplit(':').collect::<Vec<_>>().as_slice() {
        // Compose's form with an address.
        [port, host, _, ..] => {
            problem.hint(format!("write `{host}:{port}`; it is published on this machine's loopback alone"))
        }
        _ => problem.hint("`8081:8080` lets port 8080 be called at 127.0.0.1:8081"),
    }
}

impl Read for User {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "an account such as `postgres` or `1000:1000`", problems)?;
        let user = Self::parse(text);
        if user.is_none() {
            let problem = Problem::error("bad_user", format!("`{text}` is no account"));
            problems.push(problem.at(node.span).hint("write a name or a number, and after a `:` a group: `app:staff`"));
        }
        user
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": ["string", "integer"], "examples": ["postgres", "1000:1000"] })
    }
}

/// The URL of what lives elsewhere. A bad one, which was told of, still says that it does.
#[derive(Debug, Clone)]
pub struct ExternalUrl(pub Option<External>);

impl Read for ExternalUrl {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(text) = text_of(node, "a URL such as `https://api.example.com`", problems) else {
            return Some(Self(None));
        };
        let external = External::parse(text).map_err(|error| problems.push(bad_url(text, &error).at(node.span)));
        Some(Self(external.ok()))
    }

    fn schema(_: &mut Definitions) -> Json {
        let schemes = Scheme::ALL.map(Scheme::word).join("|");
        json!({ "type": "string", "pattern": format!("^({schemes})://"), "examples": ["https://api.example.com"] })
    }
}

/// The text itself is not repeated: it may hold a password.
pub fn bad_url(text: &str, error: &BadUrl) -> Problem {
    let problem = Problem::error("bad_url", format!("no URL of a service: {error}"));
    match error {
        BadUrl::NoScheme => problem.hint("`https://` is usual; `tcp://HOST:PORT` takes everything"),
        BadUrl::Scheme(word) => {
            let words = Scheme::ALL.map(Scheme::word);
            let near = did_you_mean(word, words);
            problem.hint(near.unwrap_or_else(|| format!("one of {}", words.join(", "))))
        }
        BadUrl::Account => problem.hint("callers send their own credentials; leave out what stands before the `@`"),
        BadUrl::NoPort(_) => problem.hint(format!("write it behind the host: `{text}:5432`")),
        BadUrl::Host(_) | BadUrl::Port(_) | BadUrl::Path(_) | BadUrl::Query => problem,
    }
}
