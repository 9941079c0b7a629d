//! `nagaya start`, `stop`, `restart`.

use std::process::ExitCode;

use super::args::{Global, Named};
use super::error::Error;
use super::locate::connect;
use super::output::Output;
use super::wait::{Goal, settle};

/// Asks for it, and returns when it is so: started services are ready, stopped ones gone.
pub async fn run(global: &Global, verb: &str, args: &Named, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    client.control(verb, &args.services).await?;
    let goal = if verb == "stop" { Goal::Stopped } else { Goal::Ready };
    settle(&client, &engine.state, &args.services, goal, None, output).await?;
    if output.json {
        let services = client.services().await?;
        let about: Vec<_> = services.into_iter().filter(|row| args.services.contains(&row.service)).collect();
        output.json(&about);
    }
    Ok(ExitCode::SUCCESS)
}
