//! Programs that listen, but not where they were to: what is said of them, and what would help.

use crate::model::Protocol;
use crate::plan::PlannedPort;

/// More are not listed.
const MOST: usize = 5;

/// What is said of a program on whose `port` nobody listens, while somebody does on the `open` ones; nothing where those
/// tell nothing. `ports` are the declared ones.
pub fn misplaced(ports: &[PlannedPort], in_pod: bool, port: u16, open: &[u16]) -> Option<String> {
    let Some(place) = ports.iter().position(|it| it.listen() == Some(port)) else {
        let list = listed(open)?;
        return Some(format!("nothing listens on port {port}, which its probe asks; it listens on {list}"));
    };
    // On its other declared ports it is where it is to be.
    let others: Vec<u16> =
        open.iter().copied().filter(|open| ports.iter().all(|it| it.listen() != Some(*open))).collect();
    let (list, first) = (listed(&others)?, *others.first()?);
    let number = ports[place].number;
    let (expected, change) = match (in_pod, number == port) {
        (true, true) => (format!("{port}, the number in its `ports`"), declaration(ports, place, first)),
        (true, false) => (format!("{port}, the number in its `listen`"), listen(ports, place, first)),
        (false, _) => (format!("{port}, the number in its `PORT`"), listen(ports, place, first)),
    };
    let change = match others.len() {
        1 => format!("declare `{change}`"),
        _ => format!("declare the one that is meant, as in `{change}`"),
    };
    let obey = if in_pod { format!("have it listen on {port}") } else { "have it listen on its `PORT`".to_owned() };
    Some(format!("it listens on {list} instead of {expected}: {obey}, or {change}"))
}

/// `3000`, `3000 and 3001`.
fn listed(numbers: &[u16]) -> Option<String> {
    let words: Vec<String> = numbers.iter().take(MOST).map(u16::to_string).collect();
    let more = numbers.len().saturating_sub(MOST);
    match words.as_slice() {
        [] => None,
        all if more > 0 => Some(format!("{} and {more} more", all.join(", "))),
        [only] => Some(only.clone()),
        [first @ .., last] => Some(format!("{} and {last}", first.join(", "))),
    }
}

/// `ports`, as the manifest could have them, with another number at one place.
fn declaration(ports: &[PlannedPort], place: usize, number: u16) -> String {
    let one = |(at, port): (usize, &PlannedPort)| {
        let (name, number) = (&port.name, if at == place { number } else { port.number });
        match port.protocol == Protocol::Detect || Protocol::from_port_name(name).at(number) == port.protocol {
            true => format!("{name}: {number}"),
            false => format!("{name}: {{ port: {number}, protocol: {} }}", port.protocol),
        }
    };
    let all: Vec<String> = ports.iter().enumerate().map(one).collect();
    format!("ports: {{ {} }}", all.join(", "))
}

/// `listen`, as the manifest could have it.
fn listen(ports: &[PlannedPort], place: usize, number: u16) -> String {
    match ports {
        [_] => format!("listen: {number}"),
        _ => format!("listen: {{ {}: {number} }}", ports[place].name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Location;

    fn port(name: &str, number: u16, protocol: Protocol, own: u16) -> PlannedPort {
        PlannedPort { name: name.to_owned(), number, protocol, location: Location::Loopback(own) }
    }

    #[test]
    fn what_is_said_can_be_done() {
        let http = || port("http", 8080, Protocol::Http, 8080);
        let stats = || port("stats", 9100, Protocol::Http, 9100);
        let cases = [
            (
                vec![http()],
                true,
                vec![3000],
                "it listens on 3000 instead of 8080, the number in its `ports`: have it listen on 8080, or declare \
                 `ports: { http: 3000 }`",
            ),
            (
                vec![http(), stats()],
                true,
                vec![3000, 3001, 9100],
                "it listens on 3000 and 3001 instead of 8080, the number in its `ports`: have it listen on 8080, or \
                 declare the one that is meant, as in `ports: { http: 3000, stats: { port: 9100, protocol: http } }`",
            ),
            (
                vec![port("main", 80, Protocol::Detect, 8080)],
                true,
                vec![3000],
                "it listens on 3000 instead of 8080, the number in its `listen`: have it listen on 8080, or declare \
                 `listen: 3000`",
            ),
            (
                vec![port("http", 80, Protocol::Http, 8080), stats()],
                false,
                vec![3000],
                "it listens on 3000 instead of 8080, the number in its `PORT`: have it listen on its `PORT`, or declare \
                 `listen: { http: 3000 }`",
            ),
            (
                vec![stats()],
                true,
                vec![1, 2, 3, 4, 5, 6, 7],
                "nothing listens on port 8080, which its probe asks; it listens on 1, 2, 3, 4, 5 and 2 more",
            ),
        ];
        for (ports, in_pod, open, said) in cases {
            assert_eq!(misplaced(&ports, in_pod, 8080, &open).as_deref(), Some(said));
        }
        assert_eq!(misplaced(&[http()], true, 8080, &[]), None);
        assert_eq!(misplaced(&[http(), stats()], true, 8080, &[9100]), None);
        assert_eq!(misplaced(&[stats()], true, 8080, &[]), None);
    }
}
