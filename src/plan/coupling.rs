//! Database coupling: several services that use one database, so that a change of its tables by one is one for all.
//!
//! Who uses which database is told by addresses such as `postgres://db/shop` in variables, and by what a template gives
//! to those that depend on it. What others only wait for the end of makes tables for them, and is no user of its own;
//! neither are tasks.

use crate::model::{Condition, Names, Part, Service, Workspace};

use super::edges::{Declared, declared_values};
use super::lint::Lint;

/// A database with several users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coupling {
    /// The service that has it.
    pub server: usize,
    /// What it is called there.
    pub database: String,
    pub users: Vec<usize>,
}

/// Schemes of addresses whose path is a database.
const SCHEMES: [&str; 6] = ["postgres", "postgresql", "mysql", "mariadb", "mongodb", "sqlserver"];

/// All of a workspace.
pub fn couplings(workspace: &Workspace) -> Vec<Coupling> {
    let names = workspace.names();
    let mut found: Vec<Coupling> = Vec::new();
    for (user, service) in workspace.services.values().enumerate() {
        if service.task || service.part != Part::Shared || is_waited_out(workspace, user) {
            continue;
        }
        for (server, database) in used(workspace, service, &names) {
            if server == user {
                continue;
            }
            match found.iter_mut().find(|it| (it.server, &it.database) == (server, &database)) {
                Some(known) if known.users.contains(&user) => {}
                Some(known) => known.users.push(user),
                None => found.push(Coupling { server, database, users: vec![user] }),
            }
        }
    }
    found.retain(|it| it.users.len() > 1);
    found
}

/// The databases of a service; what its own variables say goes before what a template gives it.
fn used(workspace: &Workspace, service: &Service, names: &Names<'_>) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    for (_, value) in declared_values(service) {
        let text = match value {
            Declared::Text(text) => text.to_owned(),
            Declared::Template(template) => template.fill(|it| it.service.to_string()),
        };
        all.extend(text.split([',', ' ', ';']).filter_map(|word| database(word, names)));
    }
    for dependency in &service.depends_on {
        let given = workspace.service(dependency.service).database.clone();
        if let Some(name) = given.filter(|_| all.iter().all(|(server, _)| *server != dependency.service)) {
            all.push((dependency.service, name));
        }
    }
    all
}

/// `postgres://me@db:5432/shop?x`, `jdbc:mysql://db/shop`.
fn database(word: &str, names: &Names<'_>) -> Option<(usize, String)> {
    let (scheme, rest) = word.split_once("://")?;
    let scheme = scheme.strip_prefix("jdbc:").unwrap_or(scheme);
    if !SCHEMES.contains(&scheme.split('+').next()?) {
        return None;
    }
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.split_once('/')?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    let name = path.split('/').next().filter(|name| !name.is_empty())?;
    Some((names.find(host)?, name.to_owned()))
}

fn is_waited_out(workspace: &Workspace, service: usize) -> bool {
    let dependencies = workspace.services.values().flat_map(|other| &other.depends_on);
    { dependencies }.any(|it| it.service == service && it.condition == Condition::Completed)
}

/// A warning for each.
pub fn lints(workspace: &Workspace) -> impl Iterator<Item = Lint> {
    couplings(workspace).into_iter().map(|Coupling { server, database, users }| {
        let server = &workspace.service(server).name;
        let user = |place: &usize| {
            let service = workspace.service(*place);
            let (path, line) = &service.declared;
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            format!("`{}` ({file}:{line})", service.name)
        };
        let users_told: Vec<String> = users.iter().map(user).collect();
        Lint {
            service: users.last().copied().unwrap_or_default(),
            needle: server.to_string(),
            code: "database_coupling",
            message: format!(
                "{} use one database, `{database}` of `{server}`: a change of its tables by one is a change for the others",
                users_told.join(", ")
            ),
            hint: "let one of them own the data and the others call it, or give each a database of its own".to_owned(),
        }
    })
}
