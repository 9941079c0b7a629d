//! Which lines of a log are those of a request that one came for.

use std::time::Duration;

use jiff::Timestamp;

/// What was written before an answer may be read a little after it.
const LATE: Duration = Duration::from_millis(10);

/// A request, as lines may tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its id and that of its trace.
    pub ids: [String; 2],
    /// When its service had it.
    pub from: Timestamp,
    pub to: Timestamp,
    /// Some line has one of the ids: then the others are of other requests.
    pub is_named: bool,
}

impl Mark {
    /// Of a request that took so long from then on.
    pub fn new(ids: [String; 2], from: Timestamp, took: Duration) -> Self {
        let to = from.checked_add(took + LATE).unwrap_or(Timestamp::MAX);
        Self { ids, from, to, is_named: false }
    }

    /// Takes in what a line says.
    pub fn read(&mut self, text: &str) {
        self.is_named |= self.names(text);
    }

    fn names(&self, text: &str) -> bool {
        self.ids.iter().any(|id| !id.is_empty() && text.contains(id.as_str()))
    }

    /// Whether this line is the request's: it has the id, or where no line has, it was written meanwhile.
    pub fn has(&self, time: Timestamp, text: &str) -> bool {
        if self.is_named { self.names(text) } else { (self.from..=self.to).contains(&time) }
    }

    /// What is marked, in words.
    pub fn word(&self) -> &'static str {
        if self.is_named { "▶ of this request" } else { "▶ while it was served" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_known_by_the_id_and_else_by_their_time() {
        let at = |millis: i64| Timestamp::from_millisecond(1_000_000 + millis).unwrap();
        let mut mark = Mark::new(["r-1".to_owned(), "t-9".to_owned()], at(0), Duration::from_millis(40));
        mark.read("GET / 200");
        let has = |mark: &Mark, millis, text| mark.has(at(millis), text);
        assert_eq!(
            [has(&mark, -1, "x"), has(&mark, 0, "x"), has(&mark, 49, "x"), has(&mark, 60, "x")],
            [false, true, true, false]
        );
        mark.read("id=r-1 slow");
        assert!(has(&mark, 900, "id=r-1 slow") && has(&mark, 900, "trace t-9") && !has(&mark, 5, "GET / 200"));
    }
}
