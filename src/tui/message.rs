//! The message that a line of a log is of: a line that was too long for one record, or an object as JSON in many lines.

use std::collections::VecDeque;

use super::logs::Entry;

/// Lines of one message that are looked for, up and down.
const LONGEST: usize = 2000;

/// The whole message of the line at a place; it is there.
pub fn message(lines: &VecDeque<Entry>, place: usize) -> String {
    let Some(here) = lines.get(place) else { return String::new() };
    let is_its = |it: &&Entry| it.is_beside(here);
    let mut before: Vec<&Entry> = lines.range(..place).rev().filter(is_its).take(LONGEST).collect();
    before.reverse();
    let at = before.len();
    let behind = lines.range(place + 1..).filter(is_its).take(LONGEST);
    let all: Vec<&Entry> = before.into_iter().chain([here]).chain(behind).collect();
    let (lines, at) = joined(&all, at);
    object(&lines, at).unwrap_or_else(|| lines.get(at).cloned().unwrap_or_default())
}

/// Records as the lines that were written, and the place of the one that a record is of.
fn joined(records: &[&Entry], at: usize) -> (Vec<String>, usize) {
    let (mut lines, mut place, mut is_open) = (Vec::<String>::new(), 0, false);
    for (number, record) in records.iter().enumerate() {
        match lines.last_mut().filter(|_| is_open) {
            Some(line) => line.push_str(record.text()),
            None => lines.push(record.text().to_owned()),
        }
        if number == at {
            place = lines.len() - 1;
        }
        is_open = record.continues();
    }
    (lines, place)
}

/// The object or list as JSON that a line is of, where it takes several and is whole.
fn object(lines: &[String], at: usize) -> Option<String> {
    let begins = |line: &String| line.starts_with(['{', '[']);
    let ends = |line: &String| line.starts_with(['}', ']']);
    let from = (0..=at).rev().find(|place| begins(&lines[*place]))?;
    let to = (at.max(from + 1)..lines.len()).find(|place| ends(&lines[*place]))?;
    let text = lines[from..=to].join("\n");
    serde_json::from_str::<serde_json::Value>(&text).is_ok().then_some(text)
}
