//! `nagaya dtab explain`: a name's way, as a story.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::{parse, parse_name};
use crate::api;
use crate::cli::args::Global;
use crate::cli::error::{Code, Error};
use crate::cli::locate::{self, connect};
use crate::cli::output::Output;
use crate::dtab::{Dtab, Interpreter, Limits, Namers, Path, overrides};
use crate::model::Workspace;
use crate::route::lint::Named;
use crate::route::{Routes, host_name};
use crate::view::delegate_tree::{Addr, Meta};
use crate::view::routes::Explained;
use crate::view::rules::{Asked, OfName};
use crate::view::{self, DelegateTree, Naming};

#[derive(Debug, Args)]
pub struct Explain {
    /// A name of requests, such as /svc/users, or a service
    path: String,
    /// More entries, as a request may bring them in `l5d-dtab`
    #[arg(long, value_name = "DTAB", default_value = "", hide_default_value = true)]
    dtab: String,
    /// The request, for routes that are for some alone
    #[arg(long, value_name = "'METHOD /PATH'")]
    request: Option<String>,
    /// A header field of the request; may be given several times
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
}

impl Explain {
    fn asked(&self) -> Result<Option<Asked>, Error> {
        if self.request.is_none() && self.header.is_empty() {
            return Ok(None);
        }
        let words: Vec<&str> = self.request.as_deref().unwrap_or("GET /").split_whitespace().collect();
        let (method, target) = match words.as_slice() {
            [target] if target.starts_with('/') => ("GET", *target),
            [method, target] if target.starts_with('/') => (*method, *target),
            _ => {
                return Err(
                    Error::usage("--request is a method and a path".to_owned()).hint("`--request 'POST /a?b=c'`")
                );
            }
        };
        let field = |text: &String| match text.split_once(':') {
            Some((name, value)) if !name.is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
            _ => Err(Error::usage(format!("`{text}` is no header field")).hint("`-H 'x-tenant: acme'`")),
        };
        let headers = self.header.iter().map(field).collect::<Result<_, _>>()?;
        Ok(Some(Asked { method: method.to_owned(), target: target.to_owned(), headers }))
    }
}

/// Tells it, by the running engine or else by the manifest; `--json` prints linkerd's tree. Exit code 1 where the name
/// leads to nobody: nowhere, round, or where the table says so.
pub async fn run(global: &Global, args: &Explain, output: &Output) -> Result<ExitCode, Error> {
    let path = parse_name(&args.path, output)?;
    let asked = args.asked()?;
    let mut local = brought(asked.as_ref())?;
    local.extend(parse(&args.dtab, "--dtab", output)?);
    let explained = match connect(global, output) {
        Ok((client, _)) => {
            let question =
                api::Explain { path: path.to_string(), dtab: local.to_string(), request: asked, tree: output.json };
            client.explain(&question).await?
        }
        Err(error) if error.code == Code::NoEngine => by_manifest(global, &path, &local, asked.as_ref(), output)?,
        Err(error) => return Err(error),
    };
    match &explained.tree {
        Some(tree) => output.line(tree.get()),
        None => output.line(&explained.story),
    }
    // As `grep` does it: what was looked for is not there.
    Ok(if explained.leads { ExitCode::SUCCESS } else { ExitCode::from(Code::Failed as u8) })
}

/// The entries in the fields of the request.
fn brought(asked: Option<&Asked>) -> Result<Dtab, Error> {
    let fields = asked.iter().flat_map(|it| &it.headers).filter(|(name, _)| overrides::is_read(name));
    overrides::read(fields.map(|(name, value)| (name.as_str(), value.as_bytes())))
        .map_err(|bad| Error::usage(format!("the request would be answered with 400: {bad}")))
}

fn by_manifest(
    global: &Global,
    path: &Path,
    local: &Dtab,
    asked: Option<&Asked>,
    output: &Output,
) -> Result<Explained, Error> {
    let workspace = locate::load(&locate::manifest(global)?, output)?;
    output.say("no engine runs: these are the manifest's routes, with all services taken as present");
    let named = named(&workspace);
    let routes = Routes::new(0, named.external.iter().map(String::as_str), workspace.routes.clone());
    let service = |host: &str| named.local.iter().find(|name| *name == host_name(host)).cloned();
    let Naming { name, told: by } = Naming::new(&workspace.identifiers, path, asked, service);
    let namers = Namers::of_workspace(Arc::new(named));
    let OfName { entries, told } = OfName::new(&workspace.rules, &name, asked);
    let (table, limits) = (&routes.table, Limits::default());
    let interpreter = Interpreter { table, rules: &entries, local, namers: &namers, limits };
    let trace = interpreter.delegate(&name);
    // Where they would be is not known.
    let addr = |_: &_| Addr::Bound { addrs: Vec::new(), meta: Meta {} };
    let tree = output.json.then(|| DelegateTree::new(&trace, &addr));
    Explained::new(by + &told + &view::story(&trace, &|_| None), tree.as_ref(), &trace)
        .map_err(|error| Error::failed(format!("the tree cannot be written: {error}")))
}

/// The names of a manifest's services.
pub fn named(workspace: &Workspace) -> Named {
    let mut named = Named { any: !workspace.identifiers.is_empty(), ..Named::default() };
    let remotes = workspace.remotes.iter().flat_map(|(remote, services)| services.keys().map(move |it| (remote, it)));
    named.remote.extend(remotes.map(|(remote, service)| format!("{remote}/{service}")));
    for service in workspace.services.values() {
        if service.external().is_some() {
            named.external.push(service.name.to_string());
            continue;
        }
        let first = service.version.as_ref().filter(|version| version.of == service.name);
        named.local.extend(first.map(|version| format!("{}-{}", version.of, version.name)));
        named.local.push(service.name.to_string());
    }
    named
}
