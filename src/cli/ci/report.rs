//! What `ci` leaves: logs of what failed, and the outcomes as JUnit has them.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::AnsiColor;
use jiff::Timestamp;

use super::Ci;
use crate::api::Identity;
use crate::cli::error::{Code, Error};
use crate::cli::output::{Output, dim, paint};
use crate::effects::fs;
use crate::supervise::State;
use crate::telemetry::logs::{Reader, Start};
use crate::view::{Event, Service};

/// How the command went.
pub struct Ran {
    /// Its code, or why there is none.
    pub result: Result<u8, Error>,
    pub took: Duration,
}

/// All that is told afterwards.
pub struct Report {
    workspace: String,
    cases: Vec<Case>,
    events: Vec<Event>,
    logs: Vec<(String, String)>,
    took: Duration,
}

/// One service, or the command.
struct Case {
    name: String,
    took: Duration,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    /// It never began, for lack of others.
    Skipped(String),
    Failed {
        message: String,
        detail: String,
    },
}

/// Lines of a failure that JUnit's readers see at once.
const SHOWN: usize = 50;
/// Lines of a service that are told on the terminal.
const TOLD: usize = 10;

impl Report {
    /// The outcomes of a run: `rows` are the services as they were at its end. Their logs are read when nothing runs any
    /// more that could write to them.
    pub fn new(
        identity: &Identity,
        rows: Vec<Service>,
        events: Vec<Event>,
        ran: &Ran,
        took: Duration,
        args: &Ci,
    ) -> Self {
        let since = identity.started.parse::<Timestamp>().ok();
        let log = |service: &str| text_of(&identity.logs, service, since);
        // Nobody waited to the end for those that were on their way when another failed.
        let cut_short = ran.result.as_ref().is_err_and(|error| error.code != Code::TimedOut);
        let mut cases: Vec<Case> = rows.iter().map(|row| case(row, cut_short, &log)).collect();
        cases.push(command_case(ran, args));
        // Where the command failed and no service did, any of them may be why.
        let command_failed = !matches!(ran.result, Ok(0));
        let services = cases.iter().take(rows.len());
        let failed: Vec<&str> = services.filter(|case| case.failed()).map(|case| case.name.as_str()).collect();
        let wanted = |row: &&Service| failed.contains(&row.name.as_str()) || (failed.is_empty() && command_failed);
        let logs = rows.iter().filter(|row| !row.is_external()).filter(wanted);
        let logs = logs.map(|row| (row.name.clone(), log(&row.name))).collect();
        Self { workspace: identity.name.clone(), logs, cases, events, took }
    }

    /// Writes what was asked for, and says where.
    pub fn write(&self, args: &Ci, output: &Output) -> Result<(), Error> {
        if let Some(folder) = &args.artifacts {
            let written = self.write_artifacts(folder);
            written.map_err(|error| Error::failed(format!("{}: {error}", folder.display())))?;
            if !self.logs.is_empty() {
                output.say(&dim(&format!("logs of {} services are in {}", self.logs.len(), folder.display())));
            }
        }
        if let Some(file) = &args.junit {
            let text = self.junit();
            let written = make_folder_of(file).and_then(|()| fs::replace_public(file, text.as_bytes()));
            written.map_err(|error| Error::failed(format!("{}: {error}", file.display())))?;
        }
        Ok(())
    }

    /// What the services that failed said last, drawn to stand before an error.
    pub fn last_lines(&self) -> String {
        let failures = self.cases.iter().filter_map(|case| match &case.outcome {
            Outcome::Failed { detail, .. } if !detail.is_empty() => {
                let lines: Vec<String> = detail.lines().map(|line| format!("  {line}")).collect();
                let head = paint(&format!("the last lines of {}:", case.name), AnsiColor::Yellow);
                Some(format!("{head}\n{}", lines[lines.len().saturating_sub(TOLD)..].join("\n")))
            }
            _ => None,
        });
        failures.collect::<Vec<_>>().join("\n")
    }

    fn write_artifacts(&self, folder: &Path) -> std::io::Result<()> {
        fs::make_folder(folder)?;
        for (service, text) in &self.logs {
            fs::replace_public(&folder.join(format!("{service}.log")), text.as_bytes())?;
        }
        let lines = self.events.iter().filter_map(|event| serde_json::to_string(event).ok());
        let lines: String = lines.map(|line| line + "\n").collect();
        fs::replace_public(&folder.join("events.jsonl"), lines.as_bytes())
    }

    /// One suite with a case for each service and one for the command.
    fn junit(&self) -> String {
        let count = |wanted: fn(&Case) -> bool| self.cases.iter().filter(|case| wanted(case)).count();
        let totals = format!(
            "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3}\"",
            self.cases.len(),
            count(Case::failed),
            count(|case| matches!(case.outcome, Outcome::Skipped(_))),
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
                Outcome::Skipped(why) => {
                    writeln!(out, "{head}>\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(why))
                }
                Outcome::Failed { message, detail } => writeln!(
                    out,
                    "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                    escaped(message),
                    escaped(detail)
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
}

fn case(row: &Service, cut_short: bool, log: &dyn Fn(&str) -> String) -> Case {
    let reason = || row.reason.clone().unwrap_or_else(|| row.state.word().to_owned());
    let outcome = match row.state {
        _ if row.settled => Outcome::Passed,
        State::Waiting => Outcome::Skipped(reason()),
        State::Setup | State::Starting if cut_short => Outcome::Skipped(reason()),
        _ => {
            let text = log(&row.name);
            let lines: Vec<&str> = text.lines().collect();
            let detail = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
            Outcome::Failed { message: reason(), detail }
        }
    };
    Case { name: row.name.clone(), took: Duration::from_millis(row.startup_ms.unwrap_or(0)), outcome }
}

fn command_case(ran: &Ran, args: &Ci) -> Case {
    let words: Vec<_> = args.command.iter().map(|word| word.to_string_lossy()).collect();
    let outcome = match &ran.result {
        Ok(0) => Outcome::Passed,
        Ok(code) => Outcome::Failed { message: format!("exited with {code}"), detail: String::new() },
        Err(error) => Outcome::Skipped(error.message.clone()),
    };
    Case { name: words.join(" "), took: ran.took, outcome }
}

/// All that a service wrote since a time, a line each: when, where, what.
fn text_of(logs: &Path, service: &str, since: Option<Timestamp>) -> String {
    let mut reader = Reader::new(logs, service, Start::Oldest).not_before(since);
    let mut text = String::new();
    while let Ok(lines) = reader.next_lines() {
        if lines.is_empty() {
            break;
        }
        for line in lines {
            let _ = writeln!(text, "{:.3} {} {}", line.time, line.stream.word(), line.text);
        }
    }
    text
}

fn make_folder_of(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().map(PathBuf::from).filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| fs::make_folder(&folder))
}

/// Text as it stands in XML 1.0, which cannot have most control characters at all.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_xml_whatever_is_in_them() {
        let case =
            |name: &str, outcome: Outcome| Case { name: name.to_owned(), took: Duration::from_millis(1500), outcome };
        let report = Report {
            workspace: "a & b".to_owned(),
            cases: vec![
                case("web", Outcome::Passed),
                case("db", Outcome::Failed { message: "\"<x>\"".to_owned(), detail: "\x1b[31m]]> 1 < 2".to_owned() }),
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
        assert_eq!((failure.attribute("message"), failure.text()), (Some("\"<x>\""), Some("\u{fffd}[31m]]> 1 < 2")));
        let skipped = document.descendants().find(|node| node.has_tag_name("skipped")).unwrap();
        assert_eq!(skipped.attribute("message"), Some("waits for db"));
    }
}
