//! Texts that may speak of other services: `${users.url}`.
//!
//! Environment variables are filled in when the manifest is read; these references wait for the plan, which
//! alone knows the addresses.

use super::ServiceName;

/// A text with references to services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Template(pub Vec<Piece>);

/// One piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    Text(String),
    Address(Reference),
}

/// `${users.url}`, `${users.grpc.port}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    pub service: ServiceName,
    /// The port's name; the service's first port where none is written.
    pub port: Option<String>,
    pub form: Form,
}

/// The spelling of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// `http://127.0.0.1:4000`
    Url,
    /// `127.0.0.1`
    Host,
    /// `4000`
    Port,
    /// `127.0.0.1:4000`
    Addr,
}

impl Form {
    /// All forms with the words that ask for them.
    pub const ALL: [(&'static str, Self); 4] =
        [("url", Self::Url), ("host", Self::Host), ("port", Self::Port), ("addr", Self::Addr)];

    /// The form called `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(name, form)| (name == word).then_some(form))
    }
}

impl Template {
    /// A template without references.
    pub fn text(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// The text, where there is no reference in it.
    pub fn as_text(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The references in it.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Address(reference) => Some(reference),
            Piece::Text(_) => None,
        })
    }

    /// The text with each reference replaced by what `address` says.
    pub fn fill(&self, mut address: impl FnMut(&Reference) -> String) -> String {
        self.0.iter().fold(String::new(), |mut out, piece| {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Address(reference) => out.push_str(&address(reference)),
            }
            out
        })
    }

    /// The text as it was written, references included: for people.
    pub fn written(&self) -> String {
        self.fill(|reference| {
            let form = Form::ALL.iter().find(|(_, form)| *form == reference.form).map_or("", |(word, _)| word);
            match &reference.port {
                Some(port) => format!("${{{}.{port}.{form}}}", reference.service),
                None => format!("${{{}.{form}}}", reference.service),
            }
        })
    }
}
