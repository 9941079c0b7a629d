//! Backing services: what a template says is laid under what the service itself says.
//!
//! A template is one readable file. It says how the host's own program is run and which image takes its place where
//! there is none; what both have in common; and which variables a service gets that depends on it. Texts in it may name
//! its options, `${service}`, `${version}`, `${seeds}` and, where the host's program runs, `${program}` and `${dir}`, its folder.

mod choice;
mod library;

use std::cell::Cell;
use std::path::Path;

use crate::model::{Piece, ServiceName, Template};

use super::interpolate::{Lookup, interpolate};
use super::load::{Files, Shell};
use super::merge::merge_service;
use super::node::{Key, Node, Scalar, Value};
use super::problem::{Problem, Problems, did_you_mean};
use super::raw::{Env, RunsOn, TemplateUse};
use super::read::{At, Definitions, Dict, Entry, OneOrMany, OrBrief, Read, record};
use super::source::Span;
use super::yaml;

use choice::{Choice, choose};
pub use library::{BUILT_IN, about, is_name};

/// Where templates and their programs are looked for.
pub struct Place<'a> {
    /// The manifest's folder.
    pub dir: &'a Path,
    pub shell: &'a Shell,
    pub files: &'a dyn Files,
}

/// What services of templates are for others, by their names.
pub type Bound = Vec<(String, Gift)>;

/// What a service of a template is for others.
#[derive(Debug, Clone, Default)]
pub struct Gift {
    /// Variables that its dependents get.
    pub variables: Vec<(String, Template)>,
    /// The database that these lead to.
    pub database: Option<String>,
}

record! {
    /// A template.
    RawTemplate is "a template" {
        /// What it is, in a few words.
        about: String,
        /// What whoever uses it may set, and what holds where they do not.
        options: Dict<String>,
        /// How the host's own program is run.
        host: Host,
        /// What is said of its container.
        container: Body,
        /// Where that keeps its data: a volume of the service's own is there.
        data: String,
        /// Where that looks for files which fill data that is new.
        seeds: String,
        /// What is said of both.
        service: Body,
        /// Variables of those that depend on it; `${self.addr}` and its kin are its address.
        bind: Body,
        /// The option that names the database which these lead to.
        database: String,
    }
}

record! {
    /// The host's own program.
    Host is "the host's own program" {
        /// Its name.
        program: String,
        /// Folders besides those of PATH; `*` stands for a part of a folder's name.
        places: OneOrMany<String>,
        /// Who runs it where nagaya is run by root, which it refuses.
        user_of_root: String,
        /// How it is run.
        service: Body,
    }
}

/// A part of a service, as it is written.
#[derive(Debug, Clone)]
pub struct Body(Node);

impl Read for Body {
    fn read(node: &Node, _: &mut Problems) -> Option<Self> {
        Some(Self(node.clone()))
    }

    fn schema(_: &mut Definitions) -> serde_json::Value {
        serde_json::json!({ "type": "object" })
    }
}

/// Puts templates in the place of their names, in a document whose versions are services already.
pub fn expand(document: &mut Node, place: &Place<'_>, problems: &mut Problems) -> Bound {
    let Value::Map(entries) = &mut document.value else { return Vec::new() };
    let folders = folders(entries);
    let Some((_, services)) = entries.iter_mut().find(|(key, _)| key.text == "services") else { return Vec::new() };
    let Value::Map(services) = &mut services.value else { return Vec::new() };
    let (mut bound, mut volumes) = (Vec::new(), Vec::new());
    for (key, service) in services {
        let Some((at, node)) = take(service, "template") else { continue };
        let Some(wanted) = OrBrief::<TemplateUse>::read(&node, problems).map(|it| it.0) else { continue };
        let user = User { name: &key.text, at: Span { start: at.span.start, ..node.span }, wanted: &wanted };
        match user.lay_under(service, &folders, place, problems) {
            Some((gift, volume)) => {
                bound.push((key.text.clone(), gift));
                volumes.extend(volume.map(|name| (name, user.at)));
            }
            // It stays, so that nobody asks for a command in its place.
            None => put(service, at, node),
        }
    }
    declare(volumes, entries);
    bound
}

/// The folders of a manifest's own templates, from the manifest's folder.
fn folders(entries: &[(Key, Node)]) -> Vec<At<String>> {
    let own = entries.iter().find(|(key, _)| key.text == "templates").map(|(_, node)| node);
    own.and_then(|node| OneOrMany::read(node, &mut Problems::default())).unwrap_or_default().0
}

/// The folders of its own templates that a manifest's text names; what is wrong with the text is not told.
pub fn template_folders(text: &str) -> Vec<String> {
    let mut problems = Problems::default();
    let source = problems.sources.add(Path::new("nagaya.yaml"), text);
    match yaml::parse(source, &mut problems).map(|document| document.value) {
        Some(Value::Map(entries)) => folders(&entries).into_iter().map(|it| it.value).collect(),
        _ => Vec::new(),
    }
}

/// Declares volumes at the top of a manifest.
fn declare(volumes: Vec<(String, Span)>, entries: &mut Vec<(Key, Node)>) {
    let empty = |span| Node { value: Value::Map(Vec::new()), span, tag: None };
    for (name, span) in volumes {
        if !entries.iter().any(|(key, _)| key.text == "volumes") {
            entries.push((Key { text: "volumes".to_owned(), span }, empty(span)));
        }
        let known = entries.iter_mut().find(|(key, _)| key.text == "volumes");
        if let Some((_, Node { value: Value::Map(known), .. })) = known
            && !known.iter().any(|(key, _)| key.text == name)
        {
            known.push((Key { text: name, span }, empty(span)));
        }
    }
}

/// A service that uses a template.
struct User<'a> {
    name: &'a str,
    at: Span,
    wanted: &'a TemplateUse,
}

impl User<'_> {
    /// Also returns the volume that it needs declared.
    fn lay_under(
        &self,
        service: &mut Node,
        folders: &[At<String>],
        place: &Place<'_>,
        problems: &mut Problems,
    ) -> Option<(Gift, Option<String>)> {
        let Some(name) = &self.wanted.name else {
            let problem = Problem::error("missing_key", "a template has a `name`").at(self.at);
            problems.push(problem.hint(library::known()));
            return None;
        };
        let source = library::find(name, folders, place, problems)?;
        let raw = RawTemplate::read(&yaml::parse(source, problems)?, problems)?;
        let known = self.options(&raw, problems);
        let database = raw.database.as_ref().and_then(|it| known.iter().find(|(name, _)| name == it));
        let database = database.map(|(_, value)| value.clone());
        let choice = choose(&raw, self.wanted, self.at, place, problems)?;
        let mut values = Values { known, seeds_asked: Cell::new(false) };
        values.set("service", self.name.to_owned());
        values.set("seeds", self.seeds(place));
        choice.fill(&mut values);
        let mut fill = |body: Option<Body>| {
            body.map(|Body(mut node)| {
                interpolate(&mut node, &values, problems);
                node
            })
        };
        let account = raw.host.as_ref().and_then(|host| host.user_of_root.clone()).filter(|_| place.files.is_root());
        let (form, account, data, seeds) = match choice {
            Choice::Host { .. } => (fill(raw.host.and_then(|host| host.service)), account, None, None),
            Choice::Container { .. } => (fill(raw.container), None, raw.data, raw.seeds),
        };
        let (both, bind) = (fill(raw.service), fill(raw.bind));
        if self.wanted.seed.is_some() && seeds.is_none() && !values.seeds_asked.get() {
            let problem =
                Problem::error("no_seed", format!("`{}` takes no `seed` in this form", name.value)).at(self.at);
            problems.push(problem.hint("`seed` is for templates of databases that are filled with files"));
            return None;
        }
        self.look_for_seeds(place, problems);
        let own = std::mem::replace(service, Node { value: Value::Map(Vec::new()), span: self.at, tag: None });
        [both, form].into_iter().flatten().for_each(|part| merge_service(service, part, self.name));
        let volume = data.as_ref().map(|_| format!("{}-data", self.name));
        if let Value::Map(fields) = &mut service.value {
            let mounts = self.mounts(volume.clone().zip(data), seeds, place);
            if !mounts.is_empty() {
                let list = Node { value: Value::Seq(mounts), span: self.at, tag: None };
                fields.push((Key { text: "volumes".to_owned(), span: self.at }, list));
            }
            if let Some(account) = account {
                fields.push(field("user", account, self.at));
                // Whose folder the manifest's is, that account may not enter.
                fields.push(field("working_dir", "/".to_owned(), self.at));
            }
        }
        merge_service(service, own, self.name);
        let bind = bind.and_then(|node| Env::read(&node, problems)).unwrap_or_default();
        Some((Gift { variables: self.binds(bind), database }, volume))
    }

    /// What the template's options are here.
    fn options(&self, raw: &RawTemplate, problems: &mut Problems) -> Vec<(String, String)> {
        let defaults = raw.options.clone().unwrap_or_default().0;
        let mut options: Vec<(String, String)> =
            defaults.into_iter().map(|(name, entry)| (name, entry.value)).collect();
        for (name, Entry { key, value }) in self.wanted.options.clone().unwrap_or_default().0 {
            let is_plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "_.,-".contains(c));
            if let Some(option) = options.iter_mut().find(|(known, _)| *known == name) {
                if !is_plain || value.is_empty() {
                    // It stands in addresses, in lines of a shell and of SQL.
                    let problem = Problem::error("bad_option", format!("`{name}` cannot be `{value}`")).at(key);
                    problems.push(problem.hint("letters, digits, `_`, `.`, `,` and `-` will do everywhere"));
                }
                option.1 = value;
                continue;
            }
            let names: Vec<&str> = options.iter().map(|(known, _)| known.as_str()).collect();
            let hint = did_you_mean(&name, names.iter().copied()).unwrap_or_else(|| match names.is_empty() {
                true => "it has none".to_owned(),
                false => format!("it has {}", names.join(", ")),
            });
            problems
                .push(Problem::error("unknown_key", format!("the template has no option `{name}`")).at(key).hint(hint));
        }
        options
    }

    /// Warns of files that are to fill fresh data and are not there; they may be made by the time they are needed.
    fn look_for_seeds(&self, place: &Place<'_>, problems: &mut Problems) {
        let seeds = self.wanted.seed.iter().flat_map(|it| &it.0);
        for seed in seeds.filter(|seed| place.files.canonical(&place.dir.join(&seed.value)).is_err()) {
            let problem = Problem::warning("missing_seed", format!("there is no `{}`", seed.value)).at(seed.span);
            problems.push(problem.hint("fresh data is filled with it, and without it the service fails"));
        }
    }

    /// The files that fill fresh data, as words of a shell.
    fn seeds(&self, place: &Place<'_>) -> String {
        let seeds = self.wanted.seed.clone().unwrap_or_default().0;
        let quoted = |seed: &At<String>| {
            let path = place.dir.join(&seed.value).display().to_string();
            format!("'{}'", path.replace('\'', r"'\''"))
        };
        seeds.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// What its container sees: a volume at the place of its data, and the seeds in their order.
    fn mounts(&self, data: Option<(String, String)>, seeds: Option<String>, place: &Place<'_>) -> Vec<Node> {
        let mount = |fields: [(&str, String); 4]| {
            let fields = fields.into_iter().map(|(name, text)| field(name, text, self.at)).collect();
            Node { value: Value::Map(fields), span: self.at, tag: None }
        };
        let told = |typ: &str, source: String, target: String, is_shut: bool| {
            let read_only = ("read_only", is_shut.to_string());
            mount([("type", typ.to_owned()), ("source", source), ("target", target), read_only])
        };
        let data = data.map(|(volume, target)| told("volume", volume, target, false));
        let files = self.wanted.seed.clone().filter(|_| seeds.is_some()).unwrap_or_default().0;
        let folder = seeds.unwrap_or_default();
        let seeds = files.iter().enumerate().map(|(at, seed)| {
            let path = place.dir.join(&seed.value);
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            told("bind", path.display().to_string(), format!("{folder}/{:02}-{name}", at + 1), true)
        });
        data.into_iter().chain(seeds).collect()
    }

    /// The variables of its dependents, with its own name in the place of `self`.
    fn binds(&self, bind: Env) -> Vec<(String, Template)> {
        let Ok(name) = ServiceName::new(self.name) else { return Vec::new() };
        let mine = |mut piece: Piece| {
            if let Piece::Address(reference) = &mut piece
                && reference.service.as_str() == "self"
            {
                reference.service = name.clone();
            }
            piece
        };
        let value = |template: Template| Template(template.0.into_iter().map(mine).collect());
        bind.0.into_iter().filter_map(|(key, entry)| Some((key, value(entry.value?)))).collect()
    }
}

/// What the texts of a template may name.
struct Values {
    known: Vec<(String, String)>,
    /// Somewhere the seeds are made use of.
    seeds_asked: Cell<bool>,
}

impl Values {
    fn set(&mut self, name: &str, value: String) {
        self.known.push((name.to_owned(), value));
    }
}

impl Lookup for Values {
    fn get(&self, name: &str) -> Option<&str> {
        self.seeds_asked.set(self.seeds_asked.get() || name == "seeds");
        self.known.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn field(name: &str, text: String, span: Span) -> (Key, Node) {
    let value = Value::Scalar(Scalar { text: Template(vec![Piece::Text(text)]), plain: true });
    (Key { text: name.to_owned(), span }, Node { value, span, tag: None })
}

fn take(node: &mut Node, name: &str) -> Option<(Key, Node)> {
    let Value::Map(fields) = &mut node.value else { return None };
    let at = fields.iter().position(|(key, _)| key.text == name)?;
    Some(fields.remove(at))
}

fn put(node: &mut Node, key: Key, field: Node) {
    if let Value::Map(fields) = &mut node.value {
        fields.push((key, field));
    }
}

/// Whether a form may be had.
fn allows(wanted: &TemplateUse, form: RunsOn) -> bool {
    wanted.run.as_ref().and_then(|run| run.value.0).is_none_or(|run| run == form)
}
