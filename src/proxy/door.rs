//! The front door: one port for everybody outside, services by host name.

use std::net::TcpListener as StdListener;
use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;

use super::answer::{Answer, Refusal, STYLE, escape};
use super::edge::{breathe, is_passing};
use super::http::{self, Asked, Caller, Context, Target, Way};
use crate::route::{Availability, Table, host_name};

/// Serves the front door until its task is ended.
pub async fn serve(listener: StdListener, tables: watch::Receiver<Arc<Table>>, context: Context) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                spawn_local(connection(stream, tables.clone(), context.clone()));
            }
            Err(error) if is_passing(&error) => breathe().await,
            Err(_) => return,
        }
    }
}

async fn connection(stream: TcpStream, tables: watch::Receiver<Arc<Table>>, context: Context) {
    http::serve(stream, Caller::Outside, Door { tables }, context).await;
}

/// Services by host name.
struct Door {
    tables: watch::Receiver<Arc<Table>>,
}

impl Way for Door {
    fn lead(&self, asked: &Asked<'_>) -> Result<Target, Box<Answer>> {
        let table = self.tables.borrow();
        let Some(upstream) = table.by_host(asked.host) else { return Err(Box::new(no_service(asked, &table))) };
        let Some(port) = upstream.web_port() else {
            let reason = "it has no port that speaks HTTP".to_owned();
            return Err(Box::new(Refusal::Failed(upstream.name.clone(), reason).response(asked.asker, &[])));
        };
        Ok(Target { upstream: upstream.clone(), port })
    }

    fn scheme(&self) -> Option<&'static str> {
        Some("http")
    }
}

/// The index of the services for those who ask for no service in particular; strangers' host names learn nothing.
fn no_service(asked: &Asked<'_>, table: &Table) -> Answer {
    let name = host_name(asked.host).to_ascii_lowercase();
    if name.is_empty() {
        return Refusal::Malformed("it has no Host that can be read".to_owned()).response(asked.asker, &[]);
    }
    let own = format!("{}.localhost", table.host_label);
    if ![own.as_str(), "localhost", "127.0.0.1", "[::1]"].contains(&name.as_str()) {
        return Refusal::Unknown(name).response(asked.asker, &[]);
    }
    let mut response = Answer::new(index(table).into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn index(table: &Table) -> String {
    let label = escape(&table.host_label);
    let rows: String = table
        .upstreams
        .iter()
        .map(|upstream| {
            let name = escape(&upstream.name);
            let link = match upstream.web_port() {
                Some(_) => format!("<a href=\"http://{name}.{label}.localhost:{}/\">{name}</a>", table.front_door),
                None => name,
            };
            let state = match *upstream.availability.borrow() {
                Availability::Ready => "ready",
                Availability::Idle => "idle: starts when it is called",
                Availability::Coming(state) | Availability::Absent(state) => state.word(),
            };
            format!("<tr><td>{link}<td>{state}")
        })
        .collect();
    format!(
        "<!doctype html><meta charset=utf-8><title>{label}</title>{STYLE}<main><h1>{label}</h1><table>{rows}</table></main>"
    )
}
