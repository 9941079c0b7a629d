//! What `ci` leaves: logs of what failed, and the outcomes as JUnit has them.

mod took;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::AnsiColor;
use jiff::Timestamp;

use super::{Ci, artifacts};
use crate::api::Identity;
use crate::cli::error::{Code, Error};
use crate::cli::logs::{Owned, Printer};
use crate::cli::output::{Output, dim, paint};
use crate::effects::fs;
use crate::supervise::State;
use crate::telemetry::logs::{Line, Reader, Start, Stream};
use crate::view::xml::escaped;
use crate::view::{Event, Service, label};
use took::took;

/// How the command went.
pub struct Ran {
    /// Its code, or why there is none.
    pub result: Result<u8, Error>,
    pub took: Duration,
}

/// The services when the command had ended, and before they were told to.
pub struct Seen {
    pub rows: Vec<Service>,
    pub events: Vec<Event>,
    pub at: Timestamp,
    /// From the beginning of the run.
    pub took: Duration,
}

/// All that is told afterwards.
pub struct Report {
    workspace: String,
    cases: Vec<Case>,
    events: Vec<Event>,
    /// The lines of services.
    logs: Vec<(String, Vec<Owned>)>,
    took: Duration,
}

/// One instance of a service, or the command.
struct Case {
    name: String,
    took: Duration,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    /// It never began, for lack of others.
    Skipped(String),
    /// It still ran, and had shown nothing by which one could tell that it does what it should.
    Unknown,
    Failed {
        message: String,
        lines: Vec<Owned>,
    },
}

/// Why there is no outcome of what runs.
const UNKNOWN: &str = "still running at the end: nothing tells whether it is to end, or works; a `readiness` probe would, or `restart: always`";
/// Lines of a failure that JUnit's readers see at once.
const SHOWN: usize = 50;
/// Lines of a service that are told on the terminal.
const TOLD: usize = 10;

impl Report {
    /// The outcomes of a run. The logs are read when nothing runs any more that could write to them.
    pub fn new(identity: &Identity, seen: Seen, ran: &Ran, args: &Ci) -> Self {
        let since = identity.started.parse::<Timestamp>().ok();
        let log = |service: &str| lines_of(&identity.logs, service, since);
        let Seen { rows, events, at, took } = seen;
        // Nobody waited to the end for those that were on their way when another failed.
        let cut_short = ran.result.as_ref().is_err_and(|error| error.code != Code::TimedOut);
        let case = |row: &Service| Case {
            name: row.label(),
            took: self::took(row, &events, at),
            outcome: outcome(row, cut_short, &log),
        };
        let mut cases: Vec<Case> = rows.iter().map(case).collect();
        // Where the command failed and no service did, any of them may be why.
        let command_failed = !matches!(ran.result, Ok(0));
        let any_failed = cases.iter().any(Case::failed);
        let is_wanted = |case: &Case| case.failed() || (!any_failed && command_failed);
        let wanted = rows.iter().zip(&cases).filter(|(row, case)| !row.is_external() && is_wanted(case));
        let mut names: Vec<&str> = wanted.map(|(row, _)| row.name.as_str()).collect();
        // Instances of one service stand together.
        names.dedup();
        let logs = names.into_iter().map(|name| (name.to_owned(), log(name))).collect();
        cases.push(command_case(ran, args));
        Self { workspace: identity.name.clone(), logs, cases, events, took }
    }

    /// Writes what was asked for, and says where; and whose outcome nobody knows.
    pub fn write(&self, args: &Ci, output: &Output) -> Result<(), Error> {
        let unknown: Vec<&str> =
            self.cases.iter().filter(|case| case.is_unknown()).map(|it| it.name.as_str()).collect();
        if !unknown.is_empty() {
            output.say(&dim(&format!("without an outcome: {} ({UNKNOWN})", unknown.join(", "))));
        }
        if let Some(folder) = &args.artifacts {
            let written = self.write_artifacts(folder);
            written.map_err(|error| Error::failed(format!("{}: {error}", folder.display())))?;
            match self.logs.as_slice() {
                [] => {}
                [(only, _)] => output.say(&dim(&format!("the log of {only} is in {}", folder.display()))),
                logs => output.say(&dim(&format!("the logs of {} services are in {}", logs.len(), folder.display()))),
            }
        }
        if let Some(file) = &args.junit {
            let text = self.junit();
            let written = make_folder_of(file).and_then(|()| fs::replace_public(file, text.as_bytes()));
            written.map_err(|error| Error::failed(format!("{}: {error}", file.display())))?;
        }
        Ok(())
    }

    /// What failed said last, drawn to stand before an error: lines with their instance in front, as `logs` has them.
    pub fn last_lines(&self) -> String {
        let failures = self.cases.iter().filter_map(|case| match &case.outcome {
            Outcome::Failed { lines, .. } if !lines.is_empty() => Some((&case.name, lines)),
            _ => None,
        });
        let failures: Vec<_> = failures.collect();
        let names: Vec<String> = failures.iter().map(|(name, _)| (*name).clone()).collect();
        let printer = Printer::new(&names, true, false);
        let part = |(name, lines): &(&String, &Vec<Owned>)| {
            let head = paint(&format!("the last lines of {name}:"), AnsiColor::Yellow);
            let last = &lines[lines.len().saturating_sub(TOLD)..];
            let lines = last.iter().map(|(service, line)| printer.prefixed((service, line.instance), &line.text));
            [head].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
        };
        failures.iter().map(part).collect::<Vec<_>>().join("\n")
    }

    fn write_artifacts(&self, folder: &Path) -> std::io::Result<()> {
        let lines = self.events.iter().filter_map(|event| serde_json::to_string(event).ok());
        let events: String = lines.map(|line| line + "\n").collect();
        let logs = self.logs.iter().map(|(service, lines)| (format!("{service}.log"), text(lines)));
        artifacts::write(folder, &logs.chain([("events.jsonl".to_owned(), events)]).collect())
    }

    /// One suite with a case for each service and one for the command.
    fn junit(&self) -> String {
        let count = |wanted: fn(&Case) -> bool| self.cases.iter().filter(|case| wanted(case)).count();
        let totals = format!(
            "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3}\"",
            self.cases.len(),
            count(Case::failed),
            count(|case| matches!(case.outcome, Outcome::Skipped(_) | Outcome::Unknown)),
            self.took.as_secs_f64()
        );
        let name = escaped(&self.workspace);
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {totals}>\n  <testsuite name=\"{name}\" {totals}>\n"
        );
        for case in &self.cases {
            let head = format!(
                "    <testcase classname=\"{name}\" name=\"{}\" time=\"{:.3}\"",
                escaped(&case.name),
                case.took.as_secs_f64()
            );
            let _ = match &case.outcome {
                Outcome::Passed => writeln!(out, "{head}/>"),
                Outcome::Skipped(why) => skipped(&mut out, &head, why),
                Outcome::Unknown => skipped(&mut out, &head, UNKNOWN),
                Outcome::Failed { message, lines } => writeln!(
                    out,
                    "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                    escaped(message),
                    escaped(text(&lines[lines.len().saturating_sub(SHOWN)..]).trim_end())
                ),
            };
        }
        out.push_str("  </testsuite>\n</testsuites>\n");
        out
    }
}

impl Case {
    fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }

    fn is_unknown(&self) -> bool {
        matches!(self.outcome, Outcome::Unknown)
    }
}

fn skipped(out: &mut String, head: &str, why: &str) -> std::fmt::Result {
    writeln!(out, "{head}>\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(why))
}

fn outcome(row: &Service, cut_short: bool, log: &dyn Fn(&str) -> Vec<Owned>) -> Outcome {
    let reason = || row.reason.clone().unwrap_or_else(|| row.state.word().to_owned());
    match row.state {
        // It may be a job that has not done its work, or one that is never through: its running tells neither.
        State::Running if !row.lasting => Outcome::Unknown,
        _ if row.settled => Outcome::Passed,
        State::Waiting => Outcome::Skipped(reason()),
        State::Setup | State::Starting if cut_short => Outcome::Skipped(reason()),
        _ => {
            let is_its = |line: &Line| line.instance == row.instance || line.stream == Stream::Setup;
            let lines = log(&row.name).into_iter().filter(|(_, line)| is_its(line)).collect();
            Outcome::Failed { message: reason(), lines }
        }
    }
}

fn command_case(ran: &Ran, args: &Ci) -> Case {
    let words: Vec<_> = args.command.iter().map(|word| word.to_string_lossy()).collect();
    let outcome = match &ran.result {
        Ok(0) => Outcome::Passed,
        Ok(code) => Outcome::Failed { message: format!("exited with {code}"), lines: Vec::new() },
        Err(error) => Outcome::Skipped(error.message.clone()),
    };
    Case { name: words.join(" "), took: ran.took, outcome }
}

/// All that a service wrote since a time.
fn lines_of(logs: &Path, service: &str, since: Option<Timestamp>) -> Vec<Owned> {
    let mut reader = Reader::new(logs, service, Start::Oldest).not_before(since);
    let mut out = Vec::new();
    while let Ok(lines) = reader.next_lines() {
        if lines.is_empty() {
            break;
        }
        out.extend(lines.into_iter().map(|line| (service.to_owned(), line)));
    }
    out
}

/// Lines as they are kept: when, of which of several instances, where, what.
fn text(lines: &[Owned]) -> String {
    let is_one = lines.iter().all(|(_, line)| line.instance == 1);
    let mut text = String::new();
    for (service, Line { time, instance, stream, text: line, .. }) in lines {
        let whose = if is_one { String::new() } else { format!("{} ", label(service, *instance)) };
        let _ = writeln!(text, "{time:.3} {whose}{} {line}", stream.word());
    }
    text
}

fn make_folder_of(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().map(PathBuf::from).filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| fs::make_folder(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_xml_whatever_is_in_them() {
        let case =
            |name: &str, outcome: Outcome| Case { name: name.to_owned(), took: Duration::from_millis(1500), outcome };
        let words = Line::parse(b"2026-11-21T19:12:00.123456789Z o 1 \x1b[31m]]> 1 < 2").unwrap();
        let report = Report {
            workspace: "a & b".to_owned(),
            cases: vec![
                case("web", Outcome::Passed),
                case("db", Outcome::Failed { message: "\"<x>\"".to_owned(), lines: vec![("db".to_owned(), words)] }),
                case("api", Outcome::Skipped("waits for db".to_owned())),
            ],
            events: Vec::new(),
            logs: Vec::new(),
            took: Duration::from_secs(2),
        };
        let text = report.junit();
        let document = roxmltree::Document::parse(&text).unwrap();
        let suite = document.root_element().first_element_child().unwrap();
        let attribute = |name: &str| suite.attribute(name).unwrap();
        assert_eq!(["name", "tests", "failures", "skipped", "time"].map(attribute), ["a & b", "3", "1", "1", "2.000"]);
        let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
        assert_eq!(
            (failure.attribute("message"), failure.text()),
            (Some("\"<x>\""), Some("2026-11-21T19:12:00.123Z stdout \u{fffd}[31m]]> 1 < 2"))
        );
        let skipped = document.descendants().find(|node| node.has_tag_name("skipped")).unwrap();
        assert_eq!(skipped.attribute("message"), Some("waits for db"));
    }
}
