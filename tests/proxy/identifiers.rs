//! Requests are named by what their fields and URLs say.

use nagaya::dtab::Identifier;

use super::city::{City, Client, House};
use super::routes::two;

#[test]
fn identifiers_name_requests() {
    let path = Identifier::UrlPath { segments: 1, consume: true };
    let name = Identifier::Header { header: "l5d-name".to_owned() };
    let mut houses = two();
    houses.push(House::named("web"));
    let city = City::with(&houses, "", vec![name, path]);
    let mut client = Client::at(city.edge("shell", "web"));
    let (_, body) = client.ask("/users-v2/7?a=b", &[]);
    assert_eq!(body, "users-v2||GET /7?a=b HTTP/1.1|");
    let (_, body) = client.ask("/users-v2/7", &["l5d-name: /users"]);
    assert_eq!(body, "users||GET /users-v2/7 HTTP/1.1|");
    let (_, body) = client.ask("/", &[]);
    assert_eq!(body, "web||GET / HTTP/1.1|", "what has no other name is of whom it was addressed to");
    let (head, body) = client.ask("/users-v2/7", &["l5d-name: users"]);
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert!(body.contains("the header `l5d-name` names no request") && body.contains("`/users`"), "{body}");
    let (head, body) = client.ask("/nobody/7", &[]);
    assert!(head.starts_with("HTTP/1.1 502") && body.contains("/svc/nobody leads nowhere"), "{head}{body}");
}

#[test]
fn a_host_names_the_service_that_has_it_by_its_own_name_alone() {
    let mut houses = two();
    houses.push(House::named("web"));
    let host = || Identifier::HeaderToken { header: "host".to_owned() };
    let to = |identifier: Identifier, routes: &str, host: &str| {
        let city = City::with(&houses, routes, vec![identifier]);
        let (_, body) = Client::at(city.edge("shell", "web")).ask_host(host, "/", &[]);
        body.split('|').next().unwrap_or_default().to_owned()
    };
    let routes = "/svc/api.example.com => /#/local/users-v2";
    for own in ["127.0.0.1:8081", "localhost", "[::1]:80", "10.66.1.2"] {
        assert_eq!(to(host(), routes, own), "web", "{own} names a machine, so it is whoever is called there");
    }
    assert_eq!(to(host(), routes, "api.example.com"), "users-v2");
    assert!(to(host(), routes, "api.example.com:80").contains("/svc/api.example.com:80 leads nowhere"));
    let both = Identifier::MethodAndHost { with_uri: false };
    assert_eq!(to(both, "/svc/1.1/GET => /#/local", "localhost:8081"), "web");
}
