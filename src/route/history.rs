//! Dtabs that change at run time, and the history that is kept of them.
//!
//! Each change is one [`Record`], a line of JSON behind all others; the last one of a dtab is what is in force. The
//! workspace's own dtab is its routes. Besides it there may be others by name, which only namerd's API knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::remotes::{Switch, made, switched};
use super::shares::without;
use crate::dtab::Dtab;

/// Who is written down for changes that the manifest makes.
pub const MANIFEST: &str = "manifest";
/// What is kept of the words by which somebody is known.
const LONGEST_NAME: usize = 100;

/// One change, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Counts the changes of this dtab, from 1.
    pub version: u64,
    /// RFC 3339, UTC.
    pub time: String,
    pub who: String,
    /// In one line; `None` where it was deleted.
    pub dtab: Option<String>,
    /// What of it the manifest says, where it is the manifest's word and more is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Its name, unless it is the workspace's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A dtab as it is now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Current {
    /// That of the last change; 0 before the first.
    pub version: u64,
    /// RFC 3339, UTC; empty before the first change.
    pub time: String,
    pub who: String,
    /// `None` where it was deleted.
    pub dtab: Option<Dtab>,
}

/// All dtabs as they are now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dtabs {
    own: Option<Current>,
    others: BTreeMap<String, Current>,
    /// What the manifest said when it last said something new.
    manifest: Dtab,
}

/// A change that is asked for.
#[derive(Debug, Clone)]
pub struct Change {
    /// `None` for the workspace's own dtab.
    pub namespace: Option<String>,
    pub who: Author,
    pub action: Action,
}

/// Who asks for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author(String);

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Action {
    /// Put a dtab in the place of whatever is there, or of this version alone.
    Put { dtab: Dtab, if_version: Option<u64> },
    /// Make one where there is none.
    Create(Dtab),
    /// Take it away.
    Delete,
    /// The manifest says this. It counts where the manifest said something else before: what was changed at run time
    /// since then stays. Services that are elsewhere stay there in any case.
    Manifest(Dtab),
    /// Look for services elsewhere, or here again.
    Switch(Switch),
    /// This version is no more: nothing leads there.
    Forget(String),
}

/// Why a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Refused {
    #[error("the routes have changed: they are at version {version} now, by {who} at {time}, and not at {wanted}")]
    Changed { wanted: u64, version: u64, who: String, time: String },
    #[error("there is no dtab `{namespace}`")]
    Missing { namespace: String },
    #[error("there is a dtab `{namespace}` already")]
    Exists { namespace: String },
    /// The text is no dtab; the message says where it stops being one.
    #[error("{message}")]
    Malformed { message: String },
    #[error("the change cannot be written down, so it was not made: {message}")]
    NotKept { message: String },
}

/// What a change comes to.
#[derive(Debug, Clone)]
pub enum Decision {
    /// It is to be written down, and then accepted.
    Write(Record),
    /// Everything is so already.
    Nothing,
}

impl Author {
    /// Somebody, by words of their own. Nobody can be mistaken for the manifest.
    pub fn new(words: &str) -> Self {
        let shown: String = words.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        match shown.trim() {
            "" | MANIFEST => Self("somebody".to_owned()),
            name => Self(name.to_owned()),
        }
    }

    /// The manifest.
    pub fn manifest() -> Self {
        Self(MANIFEST.to_owned())
    }
}

impl Dtabs {
    /// The routes of the workspace: nothing before the first change, and where they were deleted.
    pub fn routes(&self) -> Dtab {
        self.own.as_ref().and_then(|own| own.dtab.clone()).unwrap_or_default()
    }

    /// The workspace's own dtab.
    pub fn own(&self) -> Current {
        self.own.clone().unwrap_or_else(Current::untouched)
    }

    /// A dtab by its name, `None` being the workspace's; nothing where there is none, or where it was deleted.
    pub fn get(&self, namespace: Option<&str>) -> Option<Current> {
        Some(self.latest(namespace)).filter(|current| current.dtab.is_some())
    }

    /// The last that is known of a dtab, be it that it was deleted.
    pub fn latest(&self, namespace: Option<&str>) -> Current {
        match namespace {
            None => self.own(),
            Some(name) => self.others.get(name).cloned().unwrap_or_default(),
        }
    }

    /// The names of the others.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().filter(|(_, current)| current.dtab.is_some()).map(|(name, _)| name.as_str())
    }

    /// What a change comes to, at this time.
    pub fn decide(&self, change: &Change, time: &str) -> Result<Decision, Refused> {
        let namespace = change.namespace.as_deref();
        let current = self.get(namespace);
        let name = || namespace.unwrap_or("default").to_owned();
        let own = || self.routes();
        let mut manifest = None;
        let dtab = match (&change.action, &current) {
            (Action::Put { if_version: Some(_), .. } | Action::Delete, None) => {
                return Err(Refused::Missing { namespace: name() });
            }
            (Action::Create(_), Some(_)) => return Err(Refused::Exists { namespace: name() }),
            (Action::Put { if_version: Some(wanted), .. }, Some(current)) if current.version != *wanted => {
                return Err(current.changed_since(*wanted));
            }
            (Action::Manifest(dtab), _) if *dtab == self.manifest => return Ok(Decision::Nothing),
            (Action::Delete, _) => None,
            (Action::Manifest(dtab), _) => {
                let made = made(&own(), &self.manifest);
                manifest = (!made.entries().is_empty()).then(|| dtab.to_string());
                let mut all = dtab.clone();
                all.extend(made);
                Some(all.to_string())
            }
            (Action::Switch(switch), _) => {
                let all = switched(&own(), &self.manifest, switch);
                if all == own() {
                    return Ok(Decision::Nothing);
                }
                Some(all.to_string())
            }
            (Action::Forget(version), _) => {
                let left = without(&own(), version);
                if left == own() {
                    return Ok(Decision::Nothing);
                }
                Some(left.to_string())
            }
            (Action::Put { dtab, .. } | Action::Create(dtab), _) => Some(dtab.to_string()),
        };
        let version = self.last_version(namespace) + 1;
        let record = Record {
            version,
            time: time.to_owned(),
            who: change.who.0.clone(),
            dtab,
            manifest,
            namespace: change.namespace.clone(),
        };
        Ok(Decision::Write(record))
    }

    /// Takes in a change that is written down. Only a text that somebody has edited can be no dtab.
    pub fn accept(&mut self, record: &Record) -> Result<(), Refused> {
        let parsed = record.dtab.as_deref().map(str::parse::<Dtab>).transpose();
        let dtab = parsed.map_err(|error| Refused::Malformed { message: error.to_string() })?;
        if record.namespace.is_none() && record.who == MANIFEST {
            let said = record.manifest.as_deref().map(str::parse::<Dtab>).transpose();
            let said = said.map_err(|error| Refused::Malformed { message: error.to_string() })?;
            self.manifest = said.or_else(|| dtab.clone()).unwrap_or_default();
        }
        let version = record.version.max(self.last_version(record.namespace.as_deref()) + 1);
        let current = Current { version, time: record.time.clone(), who: record.who.clone(), dtab };
        match &record.namespace {
            None => self.own = Some(current),
            Some(name) => drop(self.others.insert(name.clone(), current)),
        }
        Ok(())
    }

    /// Deleted dtabs keep theirs, so that no version means two things.
    fn last_version(&self, namespace: Option<&str>) -> u64 {
        self.latest(namespace).version
    }
}

impl Current {
    /// Before any change the routes are empty, and nobody made them.
    fn untouched() -> Self {
        Self { dtab: Some(Dtab::default()), ..Self::default() }
    }

    fn changed_since(&self, wanted: u64) -> Refused {
        Refused::Changed { wanted, version: self.version, who: self.who.clone(), time: self.time.clone() }
    }
}

/// A history that was read.
#[derive(Debug, Default)]
pub struct Read {
    /// In the order in which they were written.
    pub records: Vec<Record>,
    pub dtabs: Dtabs,
    /// How much of the text is whole lines; what is behind is to be cut off.
    pub whole: usize,
    /// What could not be read.
    pub notices: Vec<String>,
}

/// Reads a history. A last line that was not written to its end was never answered for, and is left out.
pub fn read(text: &[u8]) -> Read {
    let mut read = Read::default();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    for (place, line) in lines.iter().enumerate() {
        let is_last = place + 1 == lines.len();
        match take_in(line, &mut read.dtabs) {
            Ok(record) => read.records.push(record),
            Err(_) if is_last => {
                read.notices.push("the last line of the routes' history was not whole; it is left out".to_owned());
                break;
            }
            Err(error) => read.notices.push(format!("line {} of the routes' history: {error}", place + 1)),
        }
        read.whole += line.len();
    }
    read
}

fn take_in(line: &[u8], dtabs: &mut Dtabs) -> Result<Record, String> {
    let line = line.strip_suffix(b"\n").ok_or("it has no end")?;
    let record: Record = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    dtabs.accept(&record).map_err(|error| error.to_string())?;
    Ok(record)
}

#[cfg(test)]
mod tests;
