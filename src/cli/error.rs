//! What a command ends with when it does not end well.

use crate::api::CallError;
use crate::engine::Refusal;
use crate::manifest::did_you_mean;
use crate::route::history::Refused;
use crate::runtime::Problem;

/// The exit codes, which are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    Failed = 1,
    Usage = 2,
    Manifest = 3,
    NoEngine = 4,
    TimedOut = 5,
    Bug = 70,
    Exec = 125,
    NotExecutable = 126,
    NotFound = 127,
    Interrupted = 130,
}

/// An error with what to do about it.
#[derive(Debug, Clone)]
pub struct Error {
    pub code: Code,
    pub message: String,
    /// Longer text that goes before the message: drawn problems, last lines of a log.
    pub detail: Option<String>,
    pub hints: Vec<String>,
    /// It was said already.
    pub silent: bool,
}

impl Error {
    /// An error of a kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None, hints: Vec::new(), silent: false }
    }

    /// Something did not work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// The command names a service that is none of the known ones.
    pub fn no_service<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let hint = did_you_mean(name, known).unwrap_or_else(|| "`nagaya ps` lists the services".to_owned());
        Self::usage(format!("there is no service `{name}`")).hint(hint)
    }

    /// An error where the command names a service that is none of the known ones.
    pub fn unless_known<'a>(wanted: &[String], known: impl Iterator<Item = &'a str> + Clone) -> Result<(), Self> {
        match wanted.iter().find(|name| known.clone().all(|known| known != name.as_str())) {
            Some(missing) => Err(Self::no_service(missing, known)),
            None => Ok(()),
        }
    }

    /// The command was called wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// The same with another hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with longer text before it.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into()).filter(|detail| !detail.is_empty());
        self
    }

    /// A change of routes that was not made.
    fn refused(message: String, refused: &Refused) -> Self {
        match refused {
            Refused::Changed { version, .. } => Self::failed(message)
                .hint(format!("`nagaya dtab get` shows them; `--if-version {version}` replaces them")),
            Refused::Malformed { .. } => Self::usage(message),
            Refused::Missing { .. } | Refused::Exists { .. } | Refused::NotKept { .. } => Self::failed(message),
        }
    }

    /// Only the exit code: the user has seen why.
    pub fn silent(code: Code) -> Self {
        Self { silent: true, ..Self::new(code, "") }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let message = problem.to_string();
        match problem {
            Problem::UnknownService { hint, .. } => {
                let error = Self::usage(message);
                match hint {
                    Some(hint) => error.hint(hint),
                    None => error.hint("`nagaya ps` lists the services"),
                }
            }
            Problem::UnknownProfile { hint, .. } => hint.into_iter().fold(Self::usage(message), Self::hint),
            Problem::Manifest { rendered, .. } => Self::new(Code::Manifest, message).detail(rendered),
            Problem::Nothing { .. } => Self::failed(message),
            Problem::Renamed { .. } => {
                Self::failed(message).hint("`nagaya down`, then `nagaya up`; until then all is as it was before")
            }
            Problem::FrontDoor { hint, .. } => Self::new(Code::Manifest, message).hint(hint),
            Problem::UnknownRemote { hint, .. } | Problem::Remote { hint, .. } => Self::usage(message).hint(hint),
            Problem::Scale { hint, .. } | Problem::NoTerminal { hint, .. } => Self::usage(message).hint(hint),
            Problem::Try { hint, .. } => hint.into_iter().fold(Self::failed(message), Self::hint),
            Problem::Matrix { flaws } => {
                flaws.into_iter().filter_map(|flaw| flaw.hint).fold(Self::usage(message), Self::hint)
            }
            Problem::NoMode { .. } => {
                Self::failed(message).hint("`nagaya doctor` tells why, and `network: auto` takes what there is")
            }
            Problem::Elsewhere { .. } => {
                Self::usage(message).hint("`nagaya stop` and `nagaya start` say whether it may be called")
            }
            Problem::Routes(refused) => Self::refused(message, &refused),
            Problem::Ending => Self::failed(message).hint("wait a moment, then call again"),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Asked(problem) => problem.into(),
            Refusal::Surroundings { message, hint } => hint.into_iter().fold(Self::failed(message), Self::hint),
        }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::Refused(problem) => problem.into(),
            CallError::NoEngine(..) => {
                Self::new(Code::NoEngine, message).hint("`nagaya down --force` ends it all the same; then `nagaya up`")
            }
            CallError::Silent => {
                Self::new(Code::TimedOut, message).hint("`nagaya down --force` kills it and all that it runs")
            }
            CallError::Broken(_) => Self::failed(message),
            CallError::Unknown => Self::new(Code::TimedOut, message)
                .hint("`nagaya dtab history` tells what was written down, also after the next `nagaya up`"),
            CallError::Strange(_) => {
                Self::failed(message).hint("it may be of another version: `nagaya down`, then `nagaya up`")
            }
        }
    }
}
