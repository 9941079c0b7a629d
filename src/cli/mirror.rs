//! `nagaya mirror`: copies of requests for another version of a service, and how its answers differ.

use std::process::ExitCode;

use clap::Args;
use hyper::header::HeaderName;

use super::args::Global;
use super::error::Error;
use super::locate::connect;
use super::output::{Output, dim};
use super::shift::{named, percent, short};
use crate::api::Client;
use crate::resilience::compare::{Difference, Ignored, Place};
use crate::runtime::MirrorRequest;
use crate::telemetry::copies::Seen;
use crate::view::Mirror as Row;

#[derive(Debug, Args)]
#[command(after_help = "\
A copy is sent once the request is whole, and the caller never waits for it. It has the field `x-nagaya-mirror`, and
`nagaya requests` tells copies. Not copied are requests that write (unless `--writes`), upgrades to other protocols, bodies
over 256 KiB, and what comes while 64 copies are under way; all of that is counted. gRPC calls are POST, so they write.")]
pub struct Mirror {
    /// The service
    #[arg(required_unless_present = "list")]
    pub service: Option<String>,
    /// The version that gets the copies
    #[arg(conflicts_with_all = ["list", "end"])]
    pub version: Option<String>,
    /// Copy so many of the requests
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "100", requires = "version")]
    pub share: f64,
    /// Copy requests that write, too: POST, PUT, PATCH, DELETE
    #[arg(long, requires = "version")]
    pub writes: bool,
    /// Compare the answers: status, header fields, bodies
    #[arg(long, requires = "version")]
    pub diff: bool,
    /// With `--diff`: this place in bodies of JSON may differ, a pointer with `*` for any key or index
    #[arg(long, value_name = "/PATH", requires = "diff")]
    pub ignore: Vec<Place>,
    /// With `--diff`: this header field may differ
    #[arg(long, value_name = "FIELD", value_parser = field, requires = "diff")]
    pub ignore_header: Vec<String>,
    /// Print what is different as it is seen
    #[arg(short, long)]
    pub follow: bool,
    /// Copy no more, and tell what that came to
    #[arg(long, conflicts_with = "follow")]
    pub end: bool,
    /// All mirrors
    #[arg(long, conflicts_with_all = ["service", "follow", "end"])]
    pub list: bool,
}

/// The name of a header field (RFC 9110 section 5.1).
fn field(text: &str) -> Result<String, String> {
    match HeaderName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a header field's name has letters, digits and `-`, and nothing else: etag".to_owned()),
    }
}

/// Begins, tells, follows or ends.
pub async fn run(global: &Global, args: Mirror, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let Some(service) = args.service.clone() else { return list(&client, output).await };
    if args.end {
        let ended = client.end_mirror(&service).await?;
        tell(&ended, "went", output);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(version) = &args.version {
        begin(&client, &service, version, &args, output).await?;
    }
    match (args.follow, &args.version) {
        (true, _) => follow(&client, &service, output).await,
        (false, Some(_)) => Ok(ExitCode::SUCCESS),
        (false, None) => {
            tell(&find(&client, &service).await?, "go", output);
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn begin(client: &Client, service: &str, version: &str, args: &Mirror, output: &Output) -> Result<(), Error> {
    let rows = client.services().await?;
    if !rows.iter().any(|row| row.service == service) {
        return Err(Error::no_service(service, rows.iter().map(|row| row.service.as_str())));
    }
    if let Some((version, share)) = version.split_once('=') {
        return Err(Error::usage("the copies go to a version, and their share is said apart")
            .hint(format!("`nagaya mirror {service} {version} --share {share}`")));
    }
    let to = named(&rows, service, version)?;
    let ignored = Ignored { fields: args.ignore_header.clone(), places: args.ignore.clone() };
    let compare = args.diff.then_some(ignored);
    let request = MirrorRequest { service: service.to_owned(), to, share: args.share, writes: args.writes, compare };
    let begun = client.begin_mirror(&request).await?;
    if args.follow {
        return Ok(());
    }
    if output.json {
        output.json(&begun);
    } else {
        let Row { to, compares, .. } = &begun;
        output.say(&format!("copies of {} go to {to}, whose answers nobody gets", of(&begun)));
        let look = if *compares { "how its answers differ" } else { "how that goes" };
        output.say(&dim(&format!("  `nagaya mirror {service}` tells {look}, `nagaya mirror {service} --end` ends it")));
    }
    Ok(())
}

async fn find(client: &Client, service: &str) -> Result<Row, Error> {
    let found = client.mirrors().await?.into_iter().find(|row| row.service == service);
    found.ok_or_else(|| {
        Error::failed(format!("requests to {service} are not copied"))
            .hint(format!("`nagaya mirror {service} VERSION` begins with that"))
    })
}

async fn list(client: &Client, output: &Output) -> Result<ExitCode, Error> {
    let rows = client.mirrors().await?;
    if output.json {
        output.json(&rows);
    } else if rows.is_empty() {
        output.say("no requests are copied; `nagaya mirror SERVICE VERSION` begins with that");
    } else {
        rows.iter().for_each(|row| tell(row, "go", output));
    }
    Ok(ExitCode::SUCCESS)
}

/// "10 % of the requests to users".
fn of(row: &Row) -> String {
    let kind = if row.writes { "" } else { " that only read" };
    let share = if row.share < 100.0 { format!("{} % of the ", short(row.share)) } else { String::new() };
    format!("{share}requests to {}{kind}", row.service)
}

fn tell(row: &Row, goes: &str, output: &Output) {
    if output.json {
        return output.json(row);
    }
    let counts = &row.counts;
    output.line(&format!("copies of {} {goes} to {}", of(row), row.to));
    let compared = match row.compares {
        true => format!(": {} the same, {} different", counts.same, counts.different),
        false => String::new(),
    };
    output.line(&format!("  {} answered{compared}, {} not answered", counts.answered, counts.failed));
    let reasons = |word: &str, reasons: &std::collections::BTreeMap<String, u64>| {
        reasons.iter().for_each(|(reason, count)| output.line(&dim(&format!("  {count} {word}: {reason}"))));
    };
    reasons("not copied", &counts.skipped);
    reasons("not compared", &counts.uncompared);
    const LAST: usize = 10;
    row.latest.iter().skip(row.latest.len().saturating_sub(LAST)).for_each(|seen| print(seen, output));
}

fn print(seen: &Seen, output: &Output) {
    output.line(&format!("{} {} {}", seen.method, seen.path, dim(&format!("{} {}", seen.time, seen.id))));
    seen.error.iter().for_each(|error| output.line(&format!("  {error}")));
    for Difference { at, original, copy } in &seen.differences {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        output.line(&format!("  {at}: {} is {} in the copy", text(original), text(copy)));
    }
    if seen.more > 0 {
        output.line(&dim(&format!("  and {} more", seen.more)));
    }
}

/// Prints until the mirror ends.
async fn follow(client: &Client, service: &str, output: &Output) -> Result<ExitCode, Error> {
    find(client, service).await?;
    let mut stream = client.events(&format!("/v1/mirrors/stream?service={service}")).await?;
    while let Some(all) = stream.next::<Vec<Seen>>().await {
        for seen in &all {
            if output.json {
                output.json_line(seen);
            } else {
                print(seen, output);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
