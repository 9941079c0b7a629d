//! `nagaya dtab eval`: one look-up, by a dtab that is given and nothing else.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::parse;
use crate::cli::error::Code;
use crate::cli::output::Output;
use crate::dtab::{Dtab, NameTree, Path, SyntaxError, Weighted};

#[derive(Debug, Args)]
pub struct Eval {
    /// The dtab
    #[arg(long, value_name = "DTAB")]
    dtab: String,
    /// The path
    path: String,
}

/// Prints what the entries that are for the path make of it.
pub fn run(args: &Eval, output: &Output) -> ExitCode {
    let looked_up = args.dtab.parse::<Dtab>().map_err(|error| (error, &args.dtab));
    let looked_up = looked_up.and_then(|dtab| {
        let path: Path = args.path.parse().map_err(|error| (error, &args.path))?;
        Ok(dtab.lookup(&path))
    });
    match looked_up {
        Ok(found) if output.json => output.json(&json!({ "tree": tree(&found), "show": found.to_string() })),
        Ok(found) => output.line(&found.to_string()),
        Err((error, text)) if output.json => {
            output.json(&json!({ "error": { "message": error.to_string(), "at": characters(text, &error) } }));
            return ExitCode::from(Code::Usage as u8);
        }
        Err(_) => return refused(args, output),
    }
    ExitCode::SUCCESS
}

/// Says the same with the line and a caret.
fn refused(args: &Eval, output: &Output) -> ExitCode {
    let dtab = parse::<Dtab>(&args.dtab, "--dtab", output).map(drop);
    let error = dtab.and_then(|()| parse::<Path>(&args.path, "the path", output).map(drop)).err();
    error.map_or(ExitCode::SUCCESS, |error| output.fail(&error))
}

/// Where reading stopped, in characters from 0.
fn characters(text: &str, error: &SyntaxError) -> usize {
    text[..error.offset].chars().count()
}

fn tree(of: &NameTree<Path>) -> Value {
    match of {
        NameTree::Neg => "neg".into(),
        NameTree::Fail => "fail".into(),
        NameTree::Empty => "empty".into(),
        NameTree::Leaf(path) => json!({ "leaf": path.to_string() }),
        NameTree::Alt(trees) => json!({ "alt": trees.iter().map(tree).collect::<Vec<_>>() }),
        NameTree::Union(branches) => {
            let branch = |it: &Weighted<Path>| json!([it.weight.get(), tree(&it.tree)]);
            json!({ "union": branches.iter().map(branch).collect::<Vec<_>>() })
        }
    }
}
