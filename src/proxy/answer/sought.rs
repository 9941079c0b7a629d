//! What was looked for where a name leads nowhere.

use std::sync::Arc;

use crate::route::disco::FOLDER;

/// What was looked for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// A service that is not there now.
    Service(Arc<str>),
    /// A service of a remote: there is no such remote, or it has no such service.
    Remote,
    /// A file of addresses, by its path below their folder.
    File(String),
    /// The same where the file is there and cannot be read.
    BadFile(String),
    /// This name, below which names of requests are made anyway.
    Prefixed(String),
    /// The end of a name's way: the words behind `dtab explain` that tell it.
    End(String),
    /// What an entry names that the request itself brought.
    Override,
    /// Nothing that has a name here.
    Other,
}

impl Sought {
    /// The service, where it is one.
    pub fn service(&self) -> Option<&str> {
        if let Self::Service(name) = self { Some(name) } else { None }
    }

    /// What helps, or shows more.
    pub fn next(&self) -> String {
        match self {
            Self::Service(name) => format!("nagaya why {name}"),
            Self::Remote => "nagaya remote".to_owned(),
            Self::File(name) => format!("write a line `HOST PORT` into the file {FOLDER}/{name} beside the manifest"),
            Self::BadFile(name) => {
                format!("correct the file {FOLDER}/{name} beside the manifest: a line is `HOST PORT`")
            }
            Self::Prefixed(rest) => format!("a name is given without `/svc`, which is put before it: `{rest}`"),
            Self::End(words) => format!("nagaya dtab explain {words}"),
            Self::Override => "correct it where the request is made; `nagaya dtab list` has the routes".to_owned(),
            Self::Other => "nagaya ps".to_owned(),
        }
    }
}
