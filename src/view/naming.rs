//! What names a request, as `explain` tells of it.

use super::rules::Asked;
use crate::dtab::{Identifier, Label, Path, Request, Said, naming_fields, sayings};
use crate::route::is_machine;

/// The name of a request.
pub struct Naming {
    pub name: Path,
    /// What is told before the story of the name; nothing where all have the name of whom they are addressed to.
    pub told: String,
}

impl Naming {
    /// That of a request which is addressed to a service, by its name; of none in particular, that name. `service` knows
    /// the service that a host is.
    pub fn new(
        identifiers: &[Identifier],
        addressed: &Path,
        asked: Option<&Asked>,
        service: impl Fn(&str) -> Option<String>,
    ) -> Self {
        if identifiers.is_empty() {
            return Self { name: addressed.clone(), told: String::new() };
        }
        let Some(asked) = asked else {
            let all: Vec<String> = identifiers.iter().map(|it| format!("`{it}`")).collect();
            let how = "where that says anything (`--request 'GET /path'` tells of one)";
            return Self {
                name: addressed.clone(),
                told: format!("Requests are named by {}, {how}\n\n", all.join(", ")),
            };
        };
        let callee = addressed.labels().get(1).and_then(Label::as_str).unwrap_or_default();
        let given = asked.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = match given.map(|(_, value)| value.as_str()) {
            None | Some("") => callee.to_owned(),
            Some(host) if is_machine(host) => callee.to_owned(),
            Some(host) => service(host).unwrap_or_else(|| host.to_owned()),
        };
        let others = asked.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
        let fields = others.map(|(name, value)| (name.as_str(), value.as_str()));
        let fields = std::iter::once(("host", host.as_str())).chain(fields).collect();
        let headers = naming_fields(fields, (&asked.method, &host, &asked.target));
        let request = Request { method: &asked.method, is_http_1_0: false, uri: &asked.target, headers: &headers };
        Self::of(identifiers, addressed, &request)
    }

    fn of(identifiers: &[Identifier], addressed: &Path, request: &Request<'_>) -> Self {
        let (mut name, mut lines, mut end) = (addressed.clone(), String::new(), String::new());
        for (identifier, said) in sayings(identifiers, request) {
            let words = match said {
                Said::Nothing(why) => why.to_string(),
                Said::Refused(bad) => {
                    end = format!("It is answered with 400. Without that it would be {addressed}:\n");
                    bad.to_string()
                }
                Said::Named(found) => {
                    let sent = found.uri.map(|uri| format!(", and sent on with the path {uri}")).unwrap_or_default();
                    name = found.path;
                    format!("it is {name}{sent}")
                }
            };
            lines.push_str(&format!("  {identifier}: {words}\n"));
        }
        if end.is_empty() && name == *addressed {
            end = format!("It has the name of whom it is addressed to: {addressed}\n");
        }
        Self { name, told: format!("What names the request:\n{lines}{end}\n") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(headers: &[(&str, &str)], target: &str) -> (String, String) {
        let identifiers = [
            Identifier::Header { header: "l5d-name".to_owned() },
            Identifier::UrlPath { segments: 1, consume: true },
            Identifier::HeaderToken { header: "host".to_owned() },
        ];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(owned).collect();
        let asked = Asked { method: "GET".to_owned(), target: target.to_owned(), headers };
        let service = |host: &str| (host == "web.shop.localhost").then(|| "web".to_owned());
        let naming = Naming::new(&identifiers, &"/svc/users".parse().unwrap(), Some(&asked), service);
        (naming.name.to_string(), naming.told)
    }

    #[test]
    fn a_request_is_named_as_it_would_be() {
        let (name, told) = named(&[], "/people/7");
        assert_eq!(name, "/svc/people");
        for text in
            ["l5d-name: the request has no header `l5d-name`", "it is /svc/people, and sent on with the path /7"]
        {
            assert!(told.contains(text), "{told}");
        }
        assert_eq!(named(&[("L5d-Name", "/a/b")], "/people").0, "/svc/a/b");
        assert_eq!(named(&[], "/").0, "/svc/users");
        assert!(named(&[], "/").1.contains("of whom it is addressed to"));
        assert_eq!(named(&[("Host", "web.shop.localhost")], "/").0, "/svc/web");
        assert_eq!(named(&[("Host", "127.0.0.1:80")], "/").0, "/svc/users");
        let (name, told) = named(&[("l5d-name", "a")], "/people");
        assert!(name == "/svc/users" && told.contains("400") && !told.contains("people"), "{told}");
    }

    #[test]
    fn of_no_request_in_particular_it_is_told_what_would_name_it() {
        let by = [Identifier::UrlPath { segments: 1, consume: false }];
        let naming = Naming::new(&by, &"/svc/users".parse().unwrap(), None, |_| None);
        assert!(naming.name.to_string() == "/svc/users" && naming.told.contains("named by `path: 1`"));
        assert_eq!(Naming::new(&[], &"/svc/users".parse().unwrap(), None, |_| None).told, "");
    }
}
