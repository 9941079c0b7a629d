//! How far a build is, as BuildKit tells it: steps that begin and end side by side, and what they write.

use std::collections::HashMap;

use super::proto::{Value, bytes, fields, number, text};

/// The steps of a build, with what was told of them.
#[derive(Debug, Default)]
pub struct Trace {
    steps: HashMap<String, Step>,
}

#[derive(Debug, Default)]
struct Step {
    /// In the order in which they came up; 0 while it has not begun.
    place: usize,
    is_over: bool,
    /// The begin of a line.
    rest: String,
}

impl Trace {
    /// The lines that a message is worth (`moby.buildkit.v1.StatusResponse`).
    pub fn take(&mut self, message: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for (kind, value) in fields(message) {
            let Value::Bytes(inner) = value else { continue };
            match kind {
                VERTEX => self.vertex(inner, &mut lines),
                LOG => self.log(inner, &mut lines),
                _ => {}
            }
        }
        lines
    }

    fn vertex(&mut self, vertex: &[u8], lines: &mut Vec<String>) {
        const DIGEST: u64 = 1;
        const NAME: u64 = 3;
        const CACHED: u64 = 4;
        const STARTED: u64 = 5;
        const COMPLETED: u64 = 6;
        const ERROR: u64 = 7;
        let count = self.steps.values().filter(|step| step.place > 0).count();
        let step = self.steps.entry(text(vertex, DIGEST)).or_default();
        if step.is_over || bytes(vertex, STARTED).is_none() {
            return;
        }
        if step.place == 0 {
            step.place = count + 1;
            lines.push(format!("#{} {}", step.place, text(vertex, NAME)));
        }
        let place = step.place;
        let error = text(vertex, ERROR);
        if bytes(vertex, COMPLETED).is_some() {
            step.is_over = true;
            let rest = std::mem::take(&mut step.rest);
            lines.extend((!rest.is_empty()).then(|| format!("#{place} {rest}")));
            let end = match error.as_str() {
                "" if number(vertex, CACHED) != 0 => "CACHED".to_owned(),
                "" => "DONE".to_owned(),
                error => format!("ERROR: {error}"),
            };
            lines.push(format!("#{place} {end}"));
        }
    }

    fn log(&mut self, log: &[u8], lines: &mut Vec<String>) {
        const OF: u64 = 1;
        const WRITTEN: u64 = 4;
        let step = self.steps.entry(text(log, OF)).or_default();
        step.rest.push_str(&String::from_utf8_lossy(bytes(log, WRITTEN).unwrap_or_default()));
        while let Some((line, rest)) = step.rest.split_once('\n') {
            lines.push(format!("#{} {}", step.place, line.trim_end()));
            step.rest = rest.to_owned();
        }
    }
}

const VERTEX: u64 = 1;
const LOG: u64 = 3;

#[cfg(test)]
mod tests {
    use super::super::proto::{field, number_field};
    use super::*;

    #[test]
    fn steps_are_told_once_with_what_they_write() {
        let time = field(1, b"");
        let vertex = |digest: &str, name: &str, more: Vec<u8>| {
            field(VERTEX, &[field(1, digest.as_bytes()), field(3, name.as_bytes()), more].concat())
        };
        let log =
            |digest: &str, text: &str| field(LOG, &[field(1, digest.as_bytes()), field(4, text.as_bytes())].concat());
        let mut trace = Trace::default();
        assert_eq!(trace.take(&vertex("a", "[1/2] FROM base", Vec::new())), [""; 0], "it waits");
        let begun = vertex("a", "[1/2] FROM base", field(5, &time));
        assert_eq!(trace.take(&begun), ["#1 [1/2] FROM base"]);
        assert_eq!(trace.take(&begun), [""; 0]);
        let run = vertex("b", "[2/2] RUN make", field(5, &time));
        let messages = [run, log("b", "cc -o "), log("b", "x\r\nwarn")].concat();
        assert_eq!(trace.take(&messages), ["#2 [2/2] RUN make", "#2 cc -o x"]);
        let done = vertex("a", "[1/2] FROM base", [number_field(4, 1), field(5, &time), field(6, &time)].concat());
        assert_eq!(trace.take(&done), ["#1 CACHED"]);
        let failed =
            vertex("b", "[2/2] RUN make", [field(5, &time), field(6, &time), field(7, b"exit code: 2")].concat());
        assert_eq!(trace.take(&failed), ["#2 warn", "#2 ERROR: exit code: 2"]);
        assert_eq!(trace.take(&failed), [""; 0]);
        assert_eq!(trace.take(b"\xff\xff nonsense"), [""; 0]);
    }
}
