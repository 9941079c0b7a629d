//! `nagaya dtab set`: other routes from now on.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{author, parse, version_line};
use crate::api::{Client, Put};
use crate::cli::args::Global;
use crate::cli::error::Error;
use crate::cli::locate::connect;
use crate::cli::output::{Output, paint};
use crate::dtab::Dtab;
use crate::effects::fs;
use crate::model::Rules;
use crate::route::lint::{Finding, Named, lint};

/// Warnings that are shown.
const MOST_WARNINGS: usize = 20;

#[derive(Debug, Args)]
pub struct Set {
    /// The routes, a file with them, or `-` for standard input
    #[arg(value_name = "DTAB|FILE|-", required_unless_present = "from")]
    dtab: Option<String>,
    /// A file with the routes, whatever its name is
    #[arg(long, value_name = "FILE", conflicts_with = "dtab")]
    from: Option<PathBuf>,
    /// Only where this version is in force, as `get` tells it
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

/// Replaces the routes, and warns of what leads nowhere.
pub async fn run(global: &Global, args: Set, output: &Output) -> Result<ExitCode, Error> {
    let (text, name) = text(&args)?;
    let dtab: Dtab = parse(&text, &name, output)?;
    let (client, _) = connect(global, output)?;
    let put = Put { dtab: dtab.to_string(), if_version: args.if_version, who: author("dtab set") };
    let routes = client.put_routes(&put).await?;
    if output.json {
        output.json(&routes);
        return Ok(ExitCode::SUCCESS);
    }
    // It is made: that comes first, whatever is found in it.
    output.say(&version_line(routes.version, &routes.who, &routes.time));
    warn(findings(&client, &dtab, routes.any_name).await?, output);
    Ok(ExitCode::SUCCESS)
}

fn warn(findings: Vec<Finding>, output: &Output) {
    let more = findings.len().saturating_sub(MOST_WARNINGS);
    for finding in findings.into_iter().take(MOST_WARNINGS) {
        output.say(&format!("{}: {}", paint("warning", anstyle::AnsiColor::Yellow), finding.message));
        if let Some(hint) = finding.hint {
            output.say(&format!("{}: {hint}", paint("hint", anstyle::AnsiColor::Cyan)));
        }
    }
    if more > 0 {
        output.say(&format!("and {more} more warnings; `nagaya dtab list` shows what each entry is good for"));
    }
}

/// The text, and what to call it in errors. Every dtab that is not empty has an arrow, and no file should.
fn text(args: &Set) -> Result<(String, String), Error> {
    let read = |path: &Path| {
        let text = fs::read_text(path).map_err(|error| Error::usage(format!("{}: {error}", path.display())))?;
        Ok((text, path.display().to_string()))
    };
    match (&args.from, args.dtab.as_deref()) {
        (Some(path), _) => read(path),
        (None, Some("-")) => {
            let text = fs::read_stdin().map_err(|error| Error::usage(format!("standard input: {error}")))?;
            Ok((text, "standard input".to_owned()))
        }
        (None, Some(file)) if !file.contains("=>") && fs::is_file(Path::new(file)) => read(Path::new(file)),
        // A word alone is no dtab, so it can only have been meant as a file.
        (None, Some(file)) if is_a_word(file) => {
            let error = Error::usage(format!("{file}: there is no such file"));
            Err(error.hint("a file of routes, or the routes themselves: `/svc/users => /#/local/users-v2`"))
        }
        (None, text) => Ok((text.unwrap_or_default().to_owned(), "the dtab".to_owned())),
    }
}

fn is_a_word(text: &str) -> bool {
    !text.is_empty() && !text.contains("=>") && !text.contains(|c: char| c.is_whitespace() || ";#".contains(c))
}

async fn findings(client: &Client, dtab: &Dtab, any: bool) -> Result<Vec<Finding>, Error> {
    let mut named = Named { any, ..Named::default() };
    for row in client.services().await? {
        if row.is_external() {
            named.external.push(row.name);
            continue;
        }
        named.local.extend(row.version.map(|version| format!("{}-{version}", row.service)));
        named.local.push(row.name);
    }
    named.local.dedup();
    let remotes = client.remotes().await?;
    let names = remotes.iter().flat_map(|it| it.remotes.keys().map(|remote| format!("{remote}/{}", it.service)));
    named.remote.extend(names);
    Ok(lint(dtab, &Rules::default(), &named))
}
