//! `nagaya doctor`: what stands between this machine and all that nagaya can do.

use std::process::ExitCode;

use anstyle::AnsiColor;
use serde::Serialize;

use super::error::Code;
use super::output::{Output, dim, tint};
use crate::effects::doctor::{self, Finding, Status};
use crate::engine;

#[derive(Serialize)]
struct Answer {
    findings: Vec<Finding>,
}

/// Prints all findings. Called while there is one thread; changes nothing.
pub fn run(output: &Output) -> ExitCode {
    let (possible, datagrams) = engine::all_possible();
    let findings = doctor::findings(&doctor::gather(possible, datagrams));
    let is_sound = findings.iter().all(|finding| finding.status != Status::Problem);
    match output.json {
        true => output.json(&Answer { findings }),
        false => findings.iter().for_each(|finding| show(finding, output)),
    }
    if is_sound { ExitCode::SUCCESS } else { ExitCode::from(Code::Failed as u8) }
}

fn show(finding: &Finding, output: &Output) {
    let mark = match finding.status {
        Status::Ok => tint("✓", AnsiColor::Green),
        Status::Warning => tint("!", AnsiColor::Yellow),
        Status::Problem => tint("✗", AnsiColor::Red),
    };
    if output.quiet && finding.status == Status::Ok {
        return;
    }
    output.line(&format!("{mark} {:<11}  {}", finding.check, finding.message));
    let lines = finding.fix.as_deref().unwrap_or_default().lines();
    lines.for_each(|line| output.line(&dim(&format!("{:15}{line}", ""))));
}
