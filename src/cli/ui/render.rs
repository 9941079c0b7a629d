//! `nagaya ui --render`: one frame of the running workspace, without a terminal.

use std::process::ExitCode;

use clap::ValueEnum;

use super::feeds::{PAST, Source};
use crate::api::Events;
use crate::cli::args::Color;
use crate::cli::error::Error;
use crate::cli::logs::{From, written};
use crate::cli::output::Output;
use crate::cli::usage::Usage;
use crate::effects::clock;
use crate::runtime::Changes;
use crate::telemetry::logs::Start;
use crate::tui::{App, Msg, Page, Wants, frame, svg, text};
use crate::view::Flow;

/// How a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Svg,
    Text,
}

/// Columns and rows, as `160x50`.
pub fn size(text: &str) -> Result<(u16, u16), String> {
    const USUAL: std::ops::RangeInclusive<u16> = 1..=1000;
    let size = text.split_once('x').and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    size.filter(|(columns, rows)| USUAL.contains(columns) && USUAL.contains(rows))
        .ok_or_else(|| "it is columns and rows, up to 1000 each: 160x50".to_owned())
}

/// Whether a picture has colours: they are no codes in it that somebody would have to understand.
pub fn has_colors(format: Format, color: Option<Color>) -> bool {
    format == Format::Svg && color != Some(Color::Never)
}

/// Writes the frame that the dashboard would show on a screen of this size.
pub async fn run(
    mut app: App,
    source: &Source,
    page: Option<Page>,
    (format, size): (Format, (u16, u16)),
    output: &Output,
) -> Result<ExitCode, Error> {
    let mut usage = Usage::new(&source.client).await?;
    usage.measure().await;
    let notices = source.client.notices().await.unwrap_or_default();
    app.update(Msg::Rows(Changes { version: 0, whole: true, services: usage.rows, notices }));
    if let Some(page) = page {
        app.show(page);
    }
    for message in now(source, &app.wants()).await? {
        app.update(message);
    }
    // Which tasks there are is known only now.
    if let Some((_, names)) = app.wants().kept {
        app.update(Msg::Kept(source.own.clone().kept(&names).await));
    }
    let drawn = frame(&mut app, size, clock::utc());
    let written = if format == Format::Svg { svg(&drawn) } else { text(&drawn) };
    output.lines(&[written.trim_end_matches('\n').to_owned()]);
    Ok(ExitCode::SUCCESS)
}

/// All that is wanted, as it is now.
async fn now(source: &Source, wants: &Wants) -> Result<Vec<Msg>, Error> {
    let client = &source.client;
    let mut out = Vec::new();
    out.extend(first::<Flow>(client.events("/v1/traffic/stream").await?).await.map(Msg::Flow));
    if !wants.logs.is_empty() {
        let lines = written(&source.logs, &wants.logs, From { start: Start::Tail(PAST), since: None })?;
        out.push(Msg::Lines(wants.logs.clone(), lines));
    }
    if let Some(name) = &wants.why {
        out.push(Msg::Why(name.clone(), Box::new(source.told_why(name).await)));
    }
    if wants.graph.is_some() {
        out.push(Msg::Graph(client.graph().await?));
    }
    if wants.requests {
        out.push(Msg::Requests { first: true, requests: client.requests().await? });
    }
    if wants.routes {
        out.push(Msg::Routes(source.told_of_routes().await?));
    }
    if wants.tasks {
        out.push(Msg::Tasks(source.own.clone().tasks().await));
    }
    Ok(out)
}

async fn first<T: serde::de::DeserializeOwned>(mut events: Events) -> Option<T> {
    events.next().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_columns_and_rows() {
        assert_eq!(size("160x50"), Ok((160, 50)));
        for wrong in ["", "160", "0x50", "160x", "x", "160x50x1", "1001x10", "-1x5"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
