//! Who may be led to whom.

use super::city::{City, Client, House};

#[test]
fn where_calls_have_to_be_declared_entries_lead_to_nobody_else() {
    let users = House::named("users").version("users", "v1");
    let houses = [users, House::named("users-v2").version("users", "v2"), House::named("db")];
    let city = City::strict(&houses, "", &[("web", "users")]);
    let mut client = Client::at(city.edge("web", "users"));
    assert_eq!(client.who(&[]), "users");
    assert_eq!(
        client.who(&["l5d-dtab: /svc/users => /#/local/users-v2"]),
        "users-v2",
        "its versions are the callee too"
    );
    let (head, body) = client.ask("/", &["l5d-dtab: /svc/users => /#/local/db"]);
    assert!(head.starts_with("HTTP/1.1 403"), "{head}{body}");
    assert!(body.starts_with("nagaya: `strict: true` forbids web to call db"), "{body}");
    let record = &city.records(3)[2];
    assert_eq!((&*record.to, record.status), ("users", Some(403)));
}
