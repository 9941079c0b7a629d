//! The services of the embedded demo: this binary plays them all.
//!
//! They are written as a user's services would be: they know their `PORT`, the addresses in their variables, and
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

/// A variable that the manifest sets.
fn variable(name: &str) -> std::io::Result<String> {
    std::env::var(name).map_err(|_| std::io::Error::other(format!("{name} is not set")))
}
