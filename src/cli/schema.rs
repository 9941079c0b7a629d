//! `nagaya schema`.

use std::process::ExitCode;

use super::error::Error;
use super::output::Output;
use crate::manifest::schema;

/// Prints the manifest's JSON Schema.
pub fn run(output: &Output) -> Result<ExitCode, Error> {
    output.json(&schema());
    Ok(ExitCode::SUCCESS)
}
