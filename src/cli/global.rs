//! Flags of every command.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// The manifest, and overlays for it [default: nagaya.yaml here or in a folder above]
    #[arg(short, long, value_name = "PATH", env = "NAGAYA_FILE", value_delimiter = ',')]
    pub file: Vec<PathBuf>,
    /// A name for the workspace in place of the manifest's
    #[arg(short, long, value_name = "NAME", env = "NAGAYA_PROJECT_NAME")]
    pub project_name: Option<String>,
    /// Switch a profile on
    #[arg(long, value_name = "NAME", env = "NAGAYA_PROFILE", value_delimiter = ',')]
    pub profile: Vec<String>,
    /// Work in this folder
    #[arg(short = 'C', long, value_name = "DIR", env = "NAGAYA_DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// The folder in which the words were said, where another one was gone to
    #[arg(skip)]
    pub called_in: Option<PathBuf>,
    /// Look for the manifest from this folder on, and work in the current one
    #[arg(long, value_name = "DIR", env = "NAGAYA_MANIFEST_FROM", hide = true)]
    pub manifest_from: Option<PathBuf>,
    /// Leave `.env` beside the manifest alone
    #[arg(long, env = "NAGAYA_NO_ENV_FILE")]
    pub no_env_file: bool,
    /// Print JSON
    #[arg(long, env = "NAGAYA_JSON")]
    pub json: bool,
    /// Print less
    #[arg(short, long, env = "NAGAYA_QUIET")]
    pub quiet: bool,
    /// Print more
    #[arg(short, long, env = "NAGAYA_VERBOSE")]
    pub verbose: bool,
    /// Answer questions with yes
    #[arg(short, long, env = "NAGAYA_YES")]
    pub yes: bool,
    /// Make every question an error
    #[arg(long, env = "NAGAYA_NO_INPUT")]
    pub no_input: bool,
    /// Use colours
    #[arg(long, value_name = "WHEN", env = "NAGAYA_COLOR")]
    pub color: Option<Color>,
}

/// `nagaya help up` is `nagaya up --help`, also behind flags. Declared as a command it would need all others to be complete.
pub fn helped(mut words: Vec<OsString>) -> Vec<OsString> {
    if !words.iter().any(|word| word == "help") {
        return words;
    }
    let flags = Global::augment_args(clap::Command::new("nagaya"));
    let valued: Vec<_> = flags.get_arguments().filter(|flag| flag.get_action().takes_values()).collect();
    let has_value = |word: &str| match word.strip_prefix("--") {
        Some(long) => valued.iter().any(|flag| flag.get_long() == Some(long)),
        // What stands behind the letter of such a flag is its value already.
        None => {
            let letter = word.find(|letter: char| valued.iter().any(|flag| flag.get_short() == Some(letter)));
            letter.is_some_and(|place| place + 1 == word.len())
        }
    };
    let mut at = 1;
    while let Some(flag) = words.get(at).and_then(|word| word.to_str()).filter(|word| word.starts_with('-')) {
        at += if has_value(flag) { 2 } else { 1 };
    }
    if words.get(at).map(OsString::as_os_str) == Some(OsStr::new("help")) {
        words.remove(at);
        words.push("--help".into());
    }
    words
}

impl Global {
    /// Adds what stood behind the command. Variables are found in both places, so lists may hold things twice.
    pub fn add(&mut self, behind: Self) {
        let add_files = behind.file.into_iter().filter(|file| !self.file.contains(file)).collect::<Vec<_>>();
        self.file.extend(add_files);
        let add_profiles = behind.profile.into_iter().filter(|it| !self.profile.contains(it)).collect::<Vec<_>>();
        self.profile.extend(add_profiles);
        self.project_name = behind.project_name.or(self.project_name.take());
        self.directory = behind.directory.or(self.directory.take());
        self.manifest_from = behind.manifest_from.or(self.manifest_from.take());
        self.color = behind.color.or(self.color);
        self.no_env_file |= behind.no_env_file;
        self.json |= behind.json;
        self.quiet |= behind.quiet;
        self.verbose |= behind.verbose;
        self.yes |= behind.yes;
        self.no_input |= behind.no_input;
    }
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_a_command_behind_flags_too() {
        let read = |line: &str| {
            let words = helped(line.split(' ').map(Into::into).collect());
            words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        for (typed, meant) in [
            ("nagaya help", "nagaya --help"),
            ("nagaya help up", "nagaya up --help"),
            ("nagaya -C . --project-name shop -q help up", "nagaya -C . --project-name shop -q up --help"),
            ("nagaya --file=a.yaml help dtab get", "nagaya --file=a.yaml dtab get --help"),
            ("nagaya -p help up", "nagaya -p help up"),
            ("nagaya -C/x/f help up", "nagaya -C/x/f up --help"),
            ("nagaya -qf a.yaml help up", "nagaya -qf a.yaml up --help"),
            ("nagaya exec web help", "nagaya exec web help"),
            ("nagaya -C", "nagaya -C"),
        ] {
            assert_eq!(read(typed), meant);
        }
    }
}
