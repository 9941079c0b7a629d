//! One task as it is written.

use serde_json::Value as Json;

use crate::manifest::node::Node;
use crate::manifest::problem::Problems;
use crate::manifest::read::{At, Brief, Definitions, OneOrMany, Read, record};

use super::{CommandSpec, DependsOn, Env};

record! {
    /// A command that ends.
    RawTask is "a task" {
        /// What to run: a string goes through the shell, a list is the program and its arguments.
        command: At<CommandSpec>,
        /// What it is for.
        description: String,
        /// The folder to run in, relative to the manifest.
        working_dir: At<String>,
        /// Services and tasks that must be there first.
        depends_on: At<DependsOn>,
        /// Variables for the command.
        environment: At<Env>,
        /// Globs of files whose content decides whether it has to run again; `!` before one takes away.
        inputs: At<OneOrMany<At<String>>>,
        /// Globs of files that it makes, below its folder; they are kept and put back.
        outputs: At<OneOrMany<At<String>>>,
        /// Tasks with the same lock never run at once, in whatever checkout they are.
        lock: At<String>,
        /// Variables of the shell that the result depends on.
        env: OneOrMany<At<String>>,
        /// Programs on whose version the result depends: `node`, or a whole command such as `go version`.
        tools: OneOrMany<At<String>>,
    }
}

impl Brief for RawTask {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        At::read(node, problems).map(|command| Self { command: Some(command), ..Self::default() })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        CommandSpec::schema(definitions)
    }
}
