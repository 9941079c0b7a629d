//! `nagaya tasks --exec`: runners are asked, which executes the project's code.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Duration;

use crate::cli::args::Global;
use crate::cli::error::Error;
use crate::cli::locate;
use crate::cli::output::Output;
use crate::effects::environment;
use crate::effects::trust::Trusted;
use crate::launcher::Process;
use crate::run::{Channels, Job, Processes};
use crate::tasks::{Listing, Question, merge, questions};

/// What a runner gets to answer in.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks every runner that can be asked, and lays its answer over the listing. The words are about those that did not answer.
pub fn ask(root: &Path, listing: &mut Listing, global: &Global, output: &Output) -> Result<Vec<String>, Error> {
    let questions = questions(listing);
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    trust(root, &questions, global, output)?;
    let launcher = Process::fork().map_err(|error| Error::failed(format!("no process can be made: {error}")))?;
    let answers = crate::cli::block(async {
        let processes =
            Processes::new(launcher).map_err(|error| Error::failed(format!("no process can be made: {error}")))?;
        let mut answers = Vec::new();
        for question in &questions {
            answers.push(answer(&processes, root, question).await);
        }
        processes.end().await;
        Ok(answers)
    })?;
    let mut notes = Vec::new();
    for (question, answer) in questions.iter().zip(answers) {
        match answer {
            Ok(names) => merge(root, listing, question, &names),
            Err(why) => notes.push(format!("`{}` did not tell: {why}", question.words.join(" "))),
        }
    }
    Ok(notes)
}

/// Nobody's code is run unawares: a folder is trusted once, by a word or a flag.
fn trust(root: &Path, questions: &[Question], global: &Global, output: &Output) -> Result<(), Error> {
    let trusted = Trusted::new(&locate::places()?);
    if trusted.has(root) {
        return Ok(());
    }
    let mut commands: Vec<String> = questions.iter().map(|question| question.words.join(" ")).collect();
    commands.sort();
    commands.dedup();
    let what = format!("this runs code of {}: {}", root.display(), commands.join("; "));
    if !global.yes {
        if global.no_input || !output.is_terminal() {
            return Err(Error::usage(what).hint("`--yes` trusts this folder, now and later"));
        }
        output.tell(&what);
        let mut out = io::stderr();
        let _ = write!(out, "Trust this folder, now and later? [y/N] ").and_then(|()| out.flush());
        let mut word = String::new();
        let read = io::stdin().lock().read_line(&mut word);
        if read.is_err() || !matches!(word.trim(), "y" | "Y" | "yes") {
            return Err(Error::usage("nothing was run"));
        }
    }
    trusted.add(root).map_err(|error| Error::failed(format!("that cannot be remembered: {error}")))
}

async fn answer(processes: &Processes, root: &Path, question: &Question) -> Result<Vec<String>, String> {
    let mut variables: std::collections::BTreeMap<String, String> = (*environment::shell()).clone();
    variables.insert("NO_COLOR".to_owned(), "1".to_owned());
    let folder = if question.project.as_os_str().is_empty() { root.to_owned() } else { root.join(&question.project) };
    let job = Job {
        name: question.asking.runner.to_owned(),
        argv: question.words.clone(),
        folder,
        variables,
        channels: Channels::Told,
        pod: None,
        among: false,
        lock: None,
        needs: Vec::new(),
        keep: None,
    };
    let said = processes.ask(&job, &job.argv, PATIENCE).await.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&said.output);
    // Some say with 1 or 2 that something is not up to date, which is no news.
    let names = (question.asking.names)(&text).filter(|names| said.exit.success() || !names.is_empty());
    names.ok_or_else(|| {
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        format!("it {}: {}", said.exit, last.trim())
    })
}
