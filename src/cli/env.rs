//! `nagaya env`: the variables in which a service runs.

use std::process::ExitCode;

use super::args::{Global, One};
use super::error::Error;
use super::locate::connect;
use super::output::Output;

/// Prints them, in a form that a shell can read.
pub async fn run(global: &Global, args: &One, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let environment = client.env(&args.service).await?;
    if output.json {
        output.json(&environment.variables);
        return Ok(ExitCode::SUCCESS);
    }
    for (name, value) in &environment.variables {
        output.line(&format!("{name}={}", quoted(value)));
    }
    Ok(ExitCode::SUCCESS)
}

/// As it is where a shell reads it so, else in single quotes.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if value.chars().all(plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_back_what_is_printed() {
        assert_eq!(quoted("http://a:1/x"), "http://a:1/x");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
