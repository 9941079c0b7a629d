//! `web`: a page that its neighbours made together.

use std::io;

use super::{greeter, neighbour, serve, store};

/// Where the neighbours are, as host and port.
#[derive(Clone)]
struct Neighbours {
    greeter: String,
    quotes: String,
    store: String,
    clock: String,
    flaky: String,
}

/// Serves until it is ended.
pub async fn run() -> io::Result<()> {
    let neighbours = Neighbours {
        greeter: neighbour("greeter", 50051),
        quotes: neighbour("quotes", 8080),
        store: neighbour("store", 6000),
        clock: neighbour("clock", 8080),
        flaky: neighbour("flaky", 8080),
    };
    serve::http("web", move |_| {
        let neighbours = neighbours.clone();
        async move { Ok(page(&neighbours).await) }
    })
    .await
}

async fn page(neighbours: &Neighbours) -> String {
    let visits =
        async { store::increment(&neighbours.store, "visits").await.map(|count| format!("visit number {count}")) };
    let (greeting, quote, visits, time, flaky) = tokio::join!(
        greeter::greet(&neighbours.greeter, "neighbour"),
        serve::get(&neighbours.quotes),
        visits,
        serve::get(&neighbours.clock),
        serve::get(&neighbours.flaky),
    );
    let rows = [("greeter", greeting), ("quotes", quote), ("store", visits), ("clock", time), ("flaky", flaky)];
    let rows: String = rows.into_iter().map(|(name, answer)| row(name, answer)).collect();
    format!(
        "<!doctype html><meta charset=utf-8><title>nagaya demo</title>\
         <style>body{{font:16px/1.6 system-ui,sans-serif;margin:3rem auto;max-width:40rem;padding:0 1rem;color-scheme:light dark}}\
         td,th{{text-align:left;padding:.3rem 1.5rem .3rem 0}}.bad{{color:#c33}}</style>\
         <h1>Many small households under one roof</h1>\
         <p>This page was made by six services. Reload it, and look at <code>nagaya requests</code>.</p>\
         <table><tr><th>service<th>says</tr>{rows}</table>\n"
    )
}

fn row(name: &str, answer: Result<String, String>) -> String {
    let escape = |text: String| text.replace('&', "&amp;").replace('<', "&lt;");
    match answer {
        Ok(text) => format!("<tr><td>{name}<td>{}</tr>", escape(text)),
        Err(error) => format!("<tr><td>{name}<td class=bad>{}</tr>", escape(error)),
    }
}
