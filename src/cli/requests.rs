//! `nagaya requests`: who called whom.

use std::process::ExitCode;

use anstyle::AnsiColor;
use clap::Args;

use super::args::Global;
use super::error::Error;
use super::locate::{connect, gone};
use super::output::{Output, dim, tint};
use crate::view::Request;

#[derive(Debug, Args)]
pub struct Requests {
    /// Only calls by or to these services
    pub services: Vec<String>,
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last requests
    #[arg(short = 'n', long, value_name = "N")]
    pub tail: Option<usize>,
}

/// Prints the last requests, and what comes with `--follow`.
pub async fn run(global: &Global, args: &Requests, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    let wanted = |request: &Request| {
        let names = &args.services;
        let version = request.version.as_ref().map(|version| format!("{}-{version}", request.to));
        let is_named = |name: &String| *name == request.from || *name == request.to || Some(name) == version.as_ref();
        names.is_empty() || names.iter().any(is_named)
    };
    if !args.follow {
        let requests: Vec<Request> = client.requests().await?.into_iter().filter(wanted).collect();
        let skip = args.tail.map_or(0, |tail| requests.len().saturating_sub(tail));
        requests[skip..].iter().for_each(|request| print(request, output));
        return Ok(ExitCode::SUCCESS);
    }
    let mut stream = client.events("/v1/requests/stream").await?;
    let mut past = args.tail;
    while let Some(requests) = stream.next::<Vec<Request>>().await {
        let requests: Vec<Request> = requests.into_iter().filter(&wanted).collect();
        let skip = past.take().map_or(0, |tail| requests.len().saturating_sub(tail));
        requests[skip..].iter().for_each(|request| print(request, output));
    }
    gone(&engine, output)
}

fn print(request: &Request, output: &Output) {
    if output.json {
        return output.json_line(request);
    }
    let status = match (request.status, request.grpc_status) {
        (_, Some(0)) => tint("ok", AnsiColor::Green),
        (_, Some(code)) => tint(&format!("grpc {code}"), AnsiColor::Red),
        (Some(code), None) if code >= 500 => tint(&code.to_string(), AnsiColor::Red),
        (Some(code), None) if code >= 400 => tint(&code.to_string(), AnsiColor::Yellow),
        (Some(code), None) => tint(&code.to_string(), AnsiColor::Green),
        (None, None) => request.protocol.clone(),
    };
    let time = request.time.get(11..23).unwrap_or(&request.time);
    let what = format!("{} {}", request.method.as_deref().unwrap_or(""), request.path.as_deref().unwrap_or(""));
    // Said apart, as `strict: true` would refuse it.
    let undeclared = if request.declared == Some(false) { dim("  undeclared") } else { String::new() };
    let copy = if request.copy { dim("  a copy") } else { String::new() };
    let error = request.error.as_deref().map(|error| tint(&format!("  {error}"), AnsiColor::Red)).unwrap_or_default();
    let to = match &request.to_name {
        Some(name) => format!("{name} ({})", request.to),
        None => request.to.clone(),
    };
    let version = request.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let by = request.routed_by.as_deref().map(|by| dim(&format!("  by {by}"))).unwrap_or_default();
    let withheld = request.withheld.as_deref().map(|text| dim(&format!("  {text}"))).unwrap_or_default();
    output.line(&format!(
        "{} {} → {to}{version}  {status}  {:.1}ms  {}{by}{copy}{undeclared}{error}{withheld}",
        dim(time),
        request.from,
        request.duration_ms,
        what.trim()
    ));
}
