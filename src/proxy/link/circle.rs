//! Who goes round in circles, in words.

use std::sync::Arc;

use super::Links;
use crate::proxy::headers::Identity;

/// So many of the last calls are looked at.
const LOOKED_AT: usize = 32;
/// Of what does not repeat itself so many are named.
const NAMED: usize = 6;

impl Links {
    /// The services whose calls led to one that a service makes, in words: "web calls users, which calls web, and so on".
    pub fn circle(&self, caller: &Arc<str>, identity: &Identity) -> String {
        told(&self.callers(caller, identity))
    }

    /// The service that calls, the one that called it, and so on back.
    fn callers(&self, caller: &Arc<str>, identity: &Identity) -> Vec<Arc<str>> {
        let mut callers = vec![caller.clone()];
        let mut hops = identity.hops.most();
        while hops > 1 && callers.len() < LOOKED_AT {
            hops -= 1;
            let Some(before) = self.from(&callers[callers.len() - 1], hops, identity.trace_id) else { break };
            callers.push(before);
        }
        callers
    }

    /// The service that made a request to which so many calls led; rather one of this trace.
    fn from(&self, service: &Arc<str>, hops: u16, trace_id: u128) -> Option<Arc<str>> {
        let all = self.0.serving.borrow();
        let mut found = None;
        for (_, serving) in all.iter().filter(|((name, _), _)| name == service) {
            let requests = serving.0.borrow();
            let such = requests.places.iter().flatten().filter(|inbound| inbound.identity.hops.most() == hops);
            for inbound in such {
                if inbound.identity.trace_id == trace_id || found.is_none() {
                    found.clone_from(&inbound.from);
                }
            }
        }
        found
    }
}

/// The callers, the last one first.
fn told(callers: &[Arc<str>]) -> String {
    let repeats = |length: &usize| callers[*length..].iter().zip(callers).all(|(before, now)| before == now);
    let round = (1..=callers.len() / 2).find(repeats);
    let named = round.unwrap_or(callers.len().min(NAMED) - 1);
    let mut names = callers[..=named].iter().rev();
    let mut text = names.next().map(ToString::to_string).unwrap_or_default();
    for (place, name) in names.enumerate() {
        text.push_str(if place == 0 { " calls " } else { ", which calls " });
        text.push_str(name);
    }
    text.push_str(if round.is_some() { ", and so on" } else { ", and that goes on" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_told_once_round() {
        let cases = [
            ("web web web", "web calls web, and so on"),
            ("web users web users", "web calls users, which calls web, and so on"),
            ("a b c a b c a", "a calls c, which calls b, which calls a, and so on"),
            (
                "a b c d e f g",
                "f calls e, which calls d, which calls c, which calls b, which calls a, and that goes on",
            ),
            ("web", "web, and that goes on"),
        ];
        for (callers, expected) in cases {
            let callers: Vec<Arc<str>> = callers.split(' ').map(Into::into).collect();
            assert_eq!(told(&callers), expected);
        }
    }
}
