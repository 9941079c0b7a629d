//! `nagaya graph`: the topology, as text and in the languages of tools that draw.

mod formats;

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::args::Global;
use super::error::Error;
use super::output::Output;
use super::{block, dry_run, locate};
use crate::api::Client;
use crate::effects::clock;
use crate::view::Graph as Topology;

#[derive(Debug, Args)]
pub struct Graph {
    /// What it is written as
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// With the calls that the engine remembers: how many, how fast, those that the manifest does not have and those that
    /// nobody made
    #[arg(long)]
    pub live: bool,
}

/// What a topology can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for each call
    Text,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// A picture
    Svg,
    /// As `--json`
    Json,
}

/// That of the running engine, with states; else that of the manifest.
pub fn run(global: &Global, args: &Graph, output: &Output) -> Result<ExitCode, Error> {
    let topology = match locate::engine(global) {
        Ok(engine) => block(running(&Client::new(&engine.socket), args.live))?,
        Err(error) if args.live => return Err(error),
        Err(_) => {
            let request = locate::manifest(global)?;
            let workspace = locate::load(&request, output)?;
            Topology::new(&dry_run::plan_of(&workspace, &request)?)
        }
    };
    match args.format {
        Format::Json => output.json(&topology),
        _ if output.json => output.json(&topology),
        Format::Text => output.lines(&formats::text(&topology)),
        Format::Dot => output.lines(&formats::dot(&topology)),
        Format::Mermaid => output.lines(&formats::mermaid(&topology)),
        Format::Svg => output.lines(&formats::svg(&topology)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn running(client: &Client, is_live: bool) -> Result<Topology, Error> {
    let mut topology = client.graph().await?;
    let rows = crate::view::by_service(client.services().await?);
    if is_live {
        topology.observe(&client.requests().await?, &rows, clock::utc());
    }
    for node in &mut topology.nodes {
        node.state = rows.iter().find(|row| row.name == node.name).map(|row| row.state);
    }
    Ok(topology)
}
