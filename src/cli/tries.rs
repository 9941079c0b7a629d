//! `nagaya try`: boots another version beside a service, and tells how requests are sent to it.

mod kept;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use futures_util::future::join_all;

use super::args::{Global, duration};
use super::dtab::author;
use super::error::{Code, Error};
use super::locate::connect;
use super::output::{Output, dim, state};
use super::wait::{Goal, settle};
use crate::api::{CallError, Client};
use crate::dtab::{Dentry, Dtab};
use crate::effects::places::TRIES;
use crate::effects::registry::Registration;
use crate::effects::{environment, tries};
use crate::model::ServiceName;
use crate::route::shares::without;
use crate::runtime::{EndTry, Source, TryRequest};
use crate::supervise::State;
use crate::view::{Align, Steering, Table, Try as Row, entrance};

#[derive(Debug, Args)]
pub struct Try {
    /// The service
    pub service: Option<String>,
    /// A folder that stands for that of the manifest, or for the service's own
    #[arg(long, value_name = "DIR", conflicts_with = "branch")]
    pub from: Option<PathBuf>,
    /// A branch, tag or commit, which gets a git worktree of its own
    #[arg(long, value_name = "BRANCH", value_parser = NonEmptyStringValueParser::new())]
    pub branch: Option<String>,
    /// What the version is called [default: after the branch or folder]
    #[arg(long, value_name = "VERSION", value_parser = label)]
    pub name: Option<String>,
    /// How long to wait at most until it is ready
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait_timeout: Option<Duration>,
    /// The versions that are tried
    #[arg(long, conflicts_with_all = ["service", "from", "branch", "name", "end"])]
    pub list: bool,
    /// End a version, and remove its worktree
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["from", "branch", "name"])]
    pub end: Option<String>,
    /// With `--end`: all of them
    #[arg(long, requires = "end")]
    pub all: bool,
    /// With `--end`: lose what is nowhere but in the worktree
    #[arg(long, requires = "end")]
    pub force: bool,
}

fn label(text: &str) -> Result<String, String> {
    ServiceName::new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Boots, lists or ends.
pub async fn run(global: &Global, args: Try, output: &Output) -> Result<ExitCode, Error> {
    let request = request(&args)?;
    let (client, engine) = match connect(global, output) {
        // What is kept needs no engine.
        Err(error) if error.code == Code::NoEngine && request.is_none() => {
            return kept::run(global, &args, error, output).await;
        }
        connected => connected?,
    };
    match (request, &args.end) {
        (Some(request), _) => boot(&client, &engine, &request, args.wait_timeout, output).await,
        (None, Some(name)) => end(&client, name, &args, output).await,
        (None, None) => list(&client, output).await,
    }
}

/// What is to be booted, if that is what is asked for.
fn request(args: &Try) -> Result<Option<TryRequest>, Error> {
    if args.list || args.end.is_some() {
        return Ok(None);
    }
    let hint = "`nagaya try SERVICE --from DIR` or `--branch BRANCH`; `--list` has those that run, `--end` ends one";
    let Some(service) = args.service.clone() else {
        return Err(Error::usage("of which service is a version to be tried?").hint(hint));
    };
    let source = match (&args.from, &args.branch) {
        (Some(folder), _) => Source::Folder(absolute(folder)?),
        (None, Some(branch)) => Source::Branch(branch.clone()),
        (None, None) => return Err(Error::usage(format!("where is the other {service}?")).hint(hint)),
    };
    Ok(Some(TryRequest { service, source, version: args.name.clone() }))
}

fn absolute(folder: &Path) -> Result<PathBuf, Error> {
    let here = environment::folder().map_err(|error| Error::failed(format!("the current folder: {error}")))?;
    // `.` has no name to call a version after.
    let folder = here.join(folder);
    Ok(crate::effects::fs::real(&folder).unwrap_or(folder))
}

async fn boot(
    client: &Client,
    engine: &Registration,
    request: &TryRequest,
    timeout: Option<Duration>,
    output: &Output,
) -> Result<ExitCode, Error> {
    let tried = client.begin_try(request).await?;
    let name = tried.name.clone();
    settle(client, &engine.state, std::slice::from_ref(&name), Goal::Ready, timeout, output).await.map_err(
        |error| {
            let stays = format!("requests go to {} as before; `nagaya try --end {name}` ends {name}", tried.service);
            error.hint(stays)
        },
    )?;
    let rows = client.services().await?;
    let steering = Steering::new(&tried.service, &name, entrance(&rows, &tried.service));
    if output.json {
        let tried = client.tries().await?.into_iter().find(|row| row.name == name).unwrap_or(tried);
        let mut value = serde_json::to_value(tried).unwrap_or_default();
        value["curl"] = steering.curl.into();
        value["browser"] = steering.browser.into();
        output.json(&value);
        return Ok(ExitCode::SUCCESS);
    }
    let own = rows.iter().find(|row| row.name == name);
    if own.is_some_and(|row| row.ports.iter().all(|port| !is_http(&port.protocol))) {
        output.say(&format!("{name} has no port that speaks HTTP, so no request can ask for it"));
        return Ok(ExitCode::SUCCESS);
    }
    output.say(&format!("requests that ask for {name} are sent there, all others to {} as before", tried.service));
    output.line(&format!("{}   {}", dim("header"), steering.header));
    for (word, line) in [("curl   ", steering.curl), ("browser", steering.browser)] {
        line.into_iter().for_each(|line| output.line(&format!("{}  {line}", dim(word))));
    }
    output.say(&dim(&format!("  `nagaya logs -f {name}` follows it, `nagaya try --end {name}` ends it")));
    Ok(ExitCode::SUCCESS)
}

fn is_http(protocol: &str) -> bool {
    !["tcp", "udp"].contains(&protocol)
}

async fn list(client: &Client, output: &Output) -> Result<ExitCode, Error> {
    show(&client.tries().await?, "ended, kept", output);
    Ok(ExitCode::SUCCESS)
}

/// Lists versions; `none` is said of those of which nothing runs.
fn show(rows: &[Row], none: &str, output: &Output) {
    if output.json {
        return output.json(&rows);
    }
    if rows.is_empty() {
        return output.say("nothing is tried now; `nagaya try SERVICE --from DIR` or `--branch BRANCH` begins");
    }
    let columns = [("NAME", Align::Left), ("STATE", Align::Left), ("FROM", Align::Left), ("", Align::Left)];
    let mut table = Table::new(&columns);
    for row in rows {
        let state = row.state.map_or(none.to_owned(), plain);
        let from = row.branch.as_ref().map_or(row.folder.clone(), |branch| format!("{branch} at {}", row.folder));
        table.row(vec![row.name.clone(), state, from, row.reason.clone().unwrap_or_default()]);
    }
    let mut lines = table.lines().into_iter();
    lines.by_ref().take(1).for_each(|head| output.line(&dim(&head)));
    for (line, row) in lines.zip(rows) {
        output.line(&row.state.map_or(line.clone(), |it| line.replacen(&plain(it), &state(it), 1)));
    }
}

fn plain(state: State) -> String {
    format!("{} {}", crate::view::state_mark(state), state.word())
}

async fn end(client: &Client, name: &str, args: &Try, output: &Output) -> Result<ExitCode, Error> {
    let rows = client.tries().await?;
    let names = chosen(&rows, name, args)?;
    if names.is_empty() {
        output.say(NOTHING);
    }
    let before = client.routes().await?;
    let ended = join_all(names.iter().map(|name| async {
        let ask = EndTry { name: name.clone(), force: args.force, who: author("try --end") };
        (name.clone(), client.end_try(&ask).await)
    }));
    let mut failures: Vec<CallError> = Vec::new();
    let mut gone = Vec::new();
    for (name, result) in ended.await {
        match result {
            Ok(()) => {
                output.say(&format!("{name} has ended"));
                gone.push(name);
            }
            Err(error) => failures.push(error),
        }
    }
    tell_routes(&before.dtab, &client.routes().await?.dtab, &gone, output);
    let mut errors = failures.into_iter().map(Error::from);
    let Some(first) = errors.next() else {
        if output.json {
            output.json(&serde_json::json!({ "ended": gone }));
        }
        return Ok(ExitCode::SUCCESS);
    };
    Err(errors.fold(first, |mut all, next| {
        all.message.push_str(&format!("\n{}", next.message));
        all.hints.extend(next.hints);
        all
    }))
}

const NOTHING: &str = "nothing is tried now";

/// Says what became of entries that led to versions which are gone.
fn tell_routes(before: &str, now: &str, gone: &[String], output: &Output) {
    let (before, now): (Dtab, Dtab) = (before.parse().unwrap_or_default(), now.parse().unwrap_or_default());
    let leads_there = |entry: &&Dentry| {
        let alone = Dtab::new(vec![(*entry).clone()]);
        gone.iter().any(|name| without(&alone, name) != alone)
    };
    for entry in before.entries().iter().filter(leads_there).filter(|entry| !now.entries().contains(entry)) {
        let left = now.entries().iter().find(|it| it.prefix == entry.prefix && !before.entries().contains(it));
        match left {
            Some(left) => output.say(&format!("the entry `{entry}` is `{left}` now")),
            None => output.say(&format!("the entry `{entry}` was taken out of the routes")),
        }
    }
}

/// The names of those that are to end: by name, by version where one has it, or of a service.
fn chosen(rows: &[Row], name: &str, args: &Try) -> Result<Vec<String>, Error> {
    let of = |row: &&Row| args.service.as_ref().is_none_or(|service| row.service == *service || row.name == *service);
    let rows: Vec<&Row> = rows.iter().filter(of).collect();
    let all = || rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    if args.all {
        return Ok(all());
    }
    if name.is_empty() {
        return match rows.as_slice() {
            [only] => Ok(vec![only.name.clone()]),
            [] => Err(Error::failed(NOTHING)),
            _ => Err(Error::usage("which one is to end?")
                .hint(format!("`--end NAME` with one of {}", all().join(", ")))
                .hint("`--end --all` ends all")),
        };
    }
    if rows.iter().any(|row| row.name == name) {
        return Ok(vec![name.to_owned()]);
    }
    let same: Vec<&&Row> = rows.iter().filter(|row| row.version == name).collect();
    match same.as_slice() {
        [only] => Ok(vec![only.name.clone()]),
        [] if rows.is_empty() => Err(Error::failed(format!("there is no `{name}` to end: nothing is tried now"))),
        [] => {
            Err(Error::failed(format!("there is no `{name}` to end"))
                .hint(format!("what is tried: {}", all().join(", "))))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|row| row.name.as_str()).collect();
            Err(Error::new(Code::Usage, format!("`{name}` is a version of several")).hint(names.join(", ")))
        }
    }
}

/// Tells of worktrees that outlived their engine, and why.
pub fn tell_kept(state: &Path, output: &Output) {
    for it in tries::read(&state.join(TRIES)) {
        let (Some(worktree), Some(why)) = (&it.worktree, &it.kept) else { continue };
        let (name, at) = (&it.name, worktree.path.display());
        output.tell(&format!("the worktree of {name} is kept at {at}: {why}"));
        output.tell(&format!("  commit what matters to a branch; `nagaya try --end {name} --force` drops it"));
    }
}
