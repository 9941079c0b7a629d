//! A change of the manifest: shown, agreed to, written.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use anstyle::AnsiColor;
use serde::Serialize;

use super::args::Global;
use super::error::Error;
use super::output::{Output, dim, tint};
use crate::effects::fs;

/// What a manifest is to become.
#[derive(Debug)]
pub struct Change {
    pub path: PathBuf,
    /// Its text now; none where there is no file.
    pub before: Option<String>,
    pub after: String,
}

/// The same for machines.
#[derive(Serialize)]
struct Told<'a> {
    path: &'a Path,
    written: bool,
    diff: String,
    notes: &'a [String],
}

/// Lines around a change that are shown with it.
const AROUND: usize = 3;

impl Change {
    /// Shows it, asks unless a flag answers, and writes it. True if it was written.
    pub fn make(&self, dry: bool, notes: &[String], global: &Global, output: &Output) -> Result<bool, Error> {
        if !output.json {
            self.show(output);
            notes.iter().for_each(|note| output.say(&format!("note: {note}")));
        }
        let write = !dry && self.is_agreed(global, output)?;
        if write {
            self.write()?;
        }
        if output.json {
            output.json(&Told { path: &self.path, written: write, diff: self.diff().join("\n"), notes });
        }
        Ok(write)
    }

    fn show(&self, output: &Output) {
        let styled = self.diff().into_iter().map(|line| match line.chars().next() {
            Some('+') if !line.starts_with("+++") => tint(&line, AnsiColor::Green),
            Some('-') if !line.starts_with("---") => tint(&line, AnsiColor::Red),
            Some('@' | '+' | '-') => dim(&line),
            _ => line,
        });
        output.lines(&styled.collect::<Vec<_>>());
    }

    fn is_agreed(&self, global: &Global, output: &Output) -> Result<bool, Error> {
        if global.yes {
            return Ok(true);
        }
        if global.no_input || output.json || !output.is_terminal() {
            return Err(Error::usage("nothing was written").hint("`--yes` writes it, `--dry-run` only shows it"));
        }
        let mut out = io::stderr();
        let _ = write!(out, "Write {}? [Y/n] ", self.path.display()).and_then(|()| out.flush());
        let mut word = String::new();
        let read = io::stdin().lock().read_line(&mut word);
        let is_yes = matches!(read, Ok(count) if count > 0) && matches!(word.trim(), "" | "y" | "Y" | "yes");
        if !is_yes {
            output.say("nothing was written");
        }
        Ok(is_yes)
    }

    /// Somebody may have edited the file while its change was looked at.
    fn write(&self) -> Result<(), Error> {
        let failed = |error: io::Error| Error::failed(format!("{}: {error}", self.path.display()));
        let now = if fs::exists(&self.path) { Some(fs::read_text(&self.path).map_err(failed)?) } else { None };
        if now != self.before {
            let message = format!("{} was changed meanwhile, so nothing was written", self.path.display());
            return Err(Error::failed(message).hint("call it again"));
        }
        // What a link leads to is meant, not the link.
        let path = fs::real(&self.path).unwrap_or_else(|_| self.path.clone());
        fs::replace_alike(&path, self.after.as_bytes()).map_err(failed)
    }

    /// As `diff -u` would show it. Changes are one run of lines each, so what is before and behind is the same.
    fn diff(&self) -> Vec<String> {
        let before: Vec<&str> = self.before.as_deref().unwrap_or("").lines().collect();
        let after: Vec<&str> = self.after.lines().collect();
        let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
        let left = before.len().min(after.len()) - same;
        let behind = before.iter().rev().zip(after.iter().rev()).take(left).take_while(|(a, b)| a == b).count();
        let (from, until) = (same.saturating_sub(AROUND), behind.min(AROUND));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let old = if self.before.is_some() { format!("--- {name}") } else { "--- /dev/null".to_owned() };
        let count = |lines: &[&str]| lines.len() - behind + until - from;
        let range = |lines: &[&str]| format!("{},{}", (from + 1).min(lines.len()), count(lines));
        let mut out = vec![old, format!("+++ {name}"), format!("@@ -{} +{} @@", range(&before), range(&after))];
        let with =
            |mark: &'static str, lines: &[&str]| lines.iter().map(|line| format!("{mark}{line}")).collect::<Vec<_>>();
        out.extend(with(" ", &after[from..same]));
        out.extend(with("-", &before[same..before.len() - behind]));
        out.extend(with("+", &after[same..after.len() - behind]));
        out.extend(with(" ", &after[after.len() - behind..after.len() - behind + until]));
        out
    }
}
