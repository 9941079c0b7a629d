//! Scripts of package.json and deno.json that serve.

use super::Guess;
use super::frameworks::{Folder, SERVERS, STARTERS};
use crate::tasks::formats::json::Dialect;
use crate::tasks::formats::{Node, shell};

/// Scripts that people start a service with while they work on it, the likeliest first.
const SCRIPTS: [&str; 8] = ["dev", "start:dev", "develop", "dev:server", "serve", "start:server", "server", "start"];

/// Words that stand before the program they run.
const BEFORE: [&str; 12] =
    ["npx", "pnpx", "bunx", "exec", "cross-env", "dotenv", "env-cmd", "dotenvx", "--", "run", "pnpm", "yarn"];

/// A service of package.json or deno.json. The error says why none is proposed though a script has the right name.
pub fn guess(folder: &Folder<'_>) -> Result<Option<Guess>, String> {
    if let Some(found) = deno(folder) {
        return Ok(Some(found));
    }
    let Ok(package) = folder.around.json(&folder.path.join("package.json"), Dialect::Strict) else { return Ok(None) };
    let scripts = package.below(&["scripts"]);
    let script = |name: &str| scripts.iter().find(|(key, _)| &*key.text == name);
    let mut starter = None;
    for name in SCRIPTS {
        let Some((key, command)) = script(name).and_then(|(key, node)| Some((key, node.text()?))) else { continue };
        match what(command, folder) {
            What::Serves { port, by } => {
                let manager = folder.around.node(&folder.path).manager;
                let because = format!(
                    "script `{name}` of {}:{}{}",
                    folder.shown("package.json"),
                    key.at.line,
                    listens(port, &by)
                );
                let command = format!("{} {name}", manager.script().join(" "));
                return Ok(Some(Guess { command, port, because, ..Guess::default() }));
            }
            What::Starts(program) => {
                starter.get_or_insert_with(|| {
                    let file = folder.shown("package.json");
                    format!("script `{name}` of {file} starts others with {program}, and is no service itself")
                });
            }
            What::Else => {}
        }
    }
    match starter {
        Some(note) => Err(note),
        None => Ok(None),
    }
}

fn deno(folder: &Folder<'_>) -> Option<Guess> {
    let name = ["deno.json", "deno.jsonc"].into_iter().find(|name| folder.has(name))?;
    let root = folder.around.json(&folder.path.join(name), Dialect::Comments).ok()?;
    let command = |task: &Node| task.text().or_else(|| task.text_of("command")).map(str::to_owned);
    let tasks = root.below(&["tasks"]);
    let find = |wanted: &&str| {
        let (key, task) = tasks.iter().find(|(key, _)| &*key.text == *wanted)?;
        Some((key, command(task)?))
    };
    let (key, command) = ["dev", "start", "serve"].iter().find_map(find)?;
    let serves = command.starts_with("deno run") || command.starts_with("deno serve") || command.contains("vite");
    serves.then(|| {
        let port = folder.ports.of_command(&command).or(Some(if command.contains("vite") { 5173 } else { 8000 }));
        let because = format!("task `{}` of {}:{}", key.text, folder.shown(name), key.at.line);
        Guess { command: format!("deno task {}", key.text), port, because, ..Guess::default() }
    })
}

enum What {
    Serves { port: Option<u16>, by: String },
    Starts(String),
    Else,
}

/// What a script does, by the first of its commands that is known.
fn what(command: &str, folder: &Folder<'_>) -> What {
    let said = folder.ports.of_command(command);
    for words in shell::commands(command) {
        let mut words = &words[..];
        while let [first, rest @ ..] = words
            && (BEFORE.contains(&first.as_str()) || first.starts_with('-') || first.contains('='))
        {
            words = rest;
        }
        let Some(program) = words.first() else { continue };
        let recursive = ["-r", "--recursive", "--workspaces", "--filter", "-F", "foreach"];
        if STARTERS.contains(&program.as_str()) || words.iter().any(|word| recursive.contains(&word.as_str())) {
            return What::Starts(program.clone());
        }
        let line = words.join(" ");
        if program == "vite" && words.get(1).is_some_and(|word| word == "build") {
            continue;
        }
        let fits = |known: &str| line == known || line.strip_prefix(known).is_some_and(|rest| rest.starts_with(' '));
        let Some((known, port)) = SERVERS.iter().find(|(known, _)| fits(known)) else { continue };
        if port.is_some() {
            return What::Serves { port: said.or(*port), by: (*known).to_owned() };
        }
        // A program that runs any other: it serves if its file says where.
        let in_file = words.iter().skip(1).filter(|word| !word.starts_with('-')).find_map(|file| source(folder, file));
        if let Some(port) = said.or(in_file) {
            return What::Serves { port: Some(port), by: String::new() };
        }
    }
    What::Else
}

/// The port in a program's file; `src/server` stands for several endings.
fn source(folder: &Folder<'_>, file: &str) -> Option<u16> {
    let endings = ["", ".js", ".mjs", ".cjs", ".ts", ".mts", "/index.js", "/index.ts"];
    // What is built is built of what is in `src`.
    let built = ["dist/", "build/", "out/", "lib/"].iter().find_map(|it| file.strip_prefix(it));
    let stem = built.map(|rest| format!("src/{}", rest.trim_end_matches(".js")));
    [Some(file.to_owned()), stem].into_iter().flatten().find_map(|file| {
        endings.iter().find_map(|ending| folder.ports.of_source(&folder.text(&format!("{file}{ending}"))?))
    })
}

/// Where the port comes from, for people.
pub fn listens(port: Option<u16>, by: &str) -> String {
    match port {
        Some(port) if !by.is_empty() => format!("; {by} listens on {port}"),
        _ => String::new(),
    }
}
