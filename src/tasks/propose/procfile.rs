//! Processes of a Procfile: each is a service, but the one that prepares a release, which is a task.

use super::Guess;
use super::frameworks::Folder;

/// What is read, the first that is there.
const NAMES: [&str; 2] = ["Procfile.dev", "Procfile"];

pub fn guess(folder: &Folder<'_>) -> Vec<Guess> {
    let read = |name: &'static str| Some((name, folder.text(name)?));
    let Some((name, text)) = NAMES.into_iter().find_map(read) else { return Vec::new() };
    let processes = text.lines().enumerate().filter_map(|(at, line)| {
        let (process, command) = line.trim().split_once(':')?;
        let is_name = !process.is_empty() && process.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        let command = command.trim();
        if !is_name || command.is_empty() {
            return None;
        }
        let ends = process == "release";
        // Foreman gives the first process 5000 by PORT, and so does Heroku only for `web`.
        let listens = folder.ports.of_command(command).or((process == "web").then_some(5000)).filter(|_| !ends);
        let because = format!("{}:{}", folder.shown(name), at + 1);
        Some(Guess { name: Some(process.to_lowercase()), command: command.to_owned(), port: listens, because, ends })
    });
    processes.collect()
}
