//! The services of the embedded demo: this binary plays them all.
//!
//! They are written as a user's services would be: they know the ports of production and each other's names, and
//! nothing of nagaya. None of them forwards a request id or a trace.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these are services: they read their environment and write their logs"
)]

mod greeter;
mod quotes;
mod serve;
mod simple;
mod store;
mod web;
mod worker;

use std::process::ExitCode;

/// The demo's manifest, in which `nagaya` stands for this program.
pub const MANIFEST: &str = include_str!("../templates/demo/nagaya.yaml");

/// Plays one service until it is ended; the exit code is the service's.
pub fn play(role: &str) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let result = runtime.block_on(async {
        match role {
            "web" => web::run().await,
            "greeter" => greeter::run().await,
            "quotes" => quotes::run().await,
            "seed" => quotes::seed(),
            "store" => store::run().await,
            "clock" => simple::clock().await,
            "flaky" => simple::flaky().await,
            "worker" => worker::run().await,
            other => Err(std::io::Error::other(format!("there is no role `{other}`"))),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{role}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where a neighbour is: at its name and the port that it has in production. On a machine without pods variables tell
/// another place, as Kubernetes' do.
fn neighbour(name: &str, port: u16) -> String {
    let told = |what: &str| std::env::var(format!("{}_SERVICE_{what}", name.to_uppercase())).ok();
    let host = told("HOST").unwrap_or_else(|| name.to_owned());
    let port = told("PORT").unwrap_or_else(|| port.to_string());
    format!("{host}:{port}")
}

/// A variable that the manifest sets.
fn variable(name: &str) -> std::io::Result<String> {
    std::env::var(name).map_err(|_| std::io::Error::other(format!("{name} is not set")))
}
