//! Where one is: a page, and the pages that led to it.

use super::keys::Place;

/// What fills the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The services, and the lines of the selected one.
    Services,
    /// Lines of these services; of all, where none is named.
    Logs(Vec<String>),
    /// Why a service is not ready.
    Why(String),
    /// Who calls whom.
    Topology,
    Requests,
    /// All requests of one trace.
    Trace(String),
    Routes,
    Tasks,
    /// What a command writes.
    Output,
    /// The terminal of an instance of a service.
    Terminal(String, u32),
}

/// The pages that have a number, and their titles.
pub const ROOTS: [(Page, &str); 6] = [
    (Page::Services, "services"),
    (Page::Logs(Vec::new()), "logs"),
    (Page::Topology, "topology"),
    (Page::Requests, "requests"),
    (Page::Routes, "routes"),
    (Page::Tasks, "tasks"),
];

impl Page {
    /// A page by its name: `services`, or about something: `logs:web,users`, `why:web`, `trace:ID`. None where there is
    /// no such page.
    pub fn named(name: &str) -> Option<Self> {
        if let Some((page, _)) = ROOTS.iter().find(|(_, title)| *title == name) {
            return Some(page.clone());
        }
        let (kind, about) = name.split_once(':').filter(|(_, about)| !about.is_empty())?;
        match kind {
            "logs" => Some(Self::Logs(about.split(',').map(str::to_owned).collect())),
            "why" => Some(Self::Why(about.to_owned())),
            "trace" => Some(Self::Trace(about.to_owned())),
            _ => None,
        }
    }

    /// The services that it is about.
    pub fn services(&self) -> &[String] {
        match self {
            Self::Logs(names) => names,
            Self::Why(name) => std::slice::from_ref(name),
            _ => &[],
        }
    }

    /// What keys mean on it.
    pub fn place(&self) -> Place {
        match self {
            Self::Services => Place::Services,
            Self::Logs(_) => Place::Logs,
            Self::Why(_) => Place::Why,
            Self::Topology => Place::Topology,
            Self::Requests => Place::Requests,
            Self::Trace(_) => Place::Trace,
            Self::Routes => Place::Routes,
            Self::Tasks => Place::Tasks,
            Self::Output => Place::Output,
            Self::Terminal(..) => Place::Terminal,
        }
    }
}

/// The pages that were opened one out of the other. There is always one.
#[derive(Debug)]
pub struct Trail {
    root: Page,
    above: Vec<Page>,
}

impl Default for Trail {
    fn default() -> Self {
        Self { root: Page::Services, above: Vec::new() }
    }
}

impl Trail {
    /// The page that is seen.
    pub fn top(&self) -> &Page {
        self.above.last().unwrap_or(&self.root)
    }

    /// The page at the bottom.
    pub fn root(&self) -> &Page {
        &self.root
    }

    /// Opens a page out of this one.
    pub fn open(&mut self, page: Page) {
        if *self.top() != page {
            self.above.push(page);
        }
    }

    /// One page back; false where there is none.
    pub fn back(&mut self) -> bool {
        self.above.pop().is_some()
    }

    /// Leaves all, for another page.
    pub fn go(&mut self, root: Page) {
        self.above.clear();
        self.root = root;
    }
}
