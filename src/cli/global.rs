//! Flags of every command.

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

impl Global {
    /// Adds what stood behind the command. Variables are found in both places, so lists may hold things twice.
    pub fn add(&mut self, behind: Self) {
        let add_files = behind.file.into_iter().filter(|file| !self.file.contains(file)).collect::<Vec<_>>();
        self.file.extend(add_files);
        let add_profiles = behind.profile.into_iter().filter(|it| !self.profile.contains(it)).collect::<Vec<_>>();
        self.profile.extend(add_profiles);
        self.project_name = behind.project_name.or(self.project_name.take());
        self.directory = behind.directory.or(self.directory.take());
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
