//! From tasks to jobs: all that comes first, words, variables, and what a result depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use super::Run;
use super::ask::{Asked, Target};
use crate::cli::error::{Code, Error};
use crate::cli::locate;
use crate::cli::output::Output;
use crate::effects::cache::Store;
use crate::effects::environment;
use crate::effects::programs::{self, Program};
use crate::model::{Condition, Task, Workspace};
use crate::pipeline::{Drawn, Keep, Node, variables};
use crate::plan::Shell;
use crate::run::{Channels, Job};
use crate::tasks::{self, Invoke};

/// A run that can begin. Each task stands behind those that it needs.
#[derive(Debug, Default)]
pub struct Built {
    pub jobs: Vec<Job>,
    pub nodes: Vec<Node>,
    pub drawn: Vec<Drawn>,
    /// What jobs need that run among services, by the job's place.
    pub among: BTreeMap<usize, Among>,
}

/// What a job needs that runs among services.
#[derive(Debug)]
pub struct Among {
    /// Its own name among them.
    pub name: Option<String>,
    pub needed: Vec<Needed>,
    /// All that comes with those, in the order of a boot.
    pub along: Vec<String>,
    /// What the manifest has it take from the shell.
    pub asked: BTreeSet<String>,
}

/// A service that tasks need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    pub name: String,
    pub condition: Condition,
}

/// Makes jobs of what was asked for and of all that comes before.
pub fn build(asked: &Asked, arguments: &[String], args: &Run, output: &Output) -> Result<Built, Error> {
    let shell = environment::shell();
    let mut built = Built::default();
    let named: Vec<usize> = asked.targets.iter().filter_map(Target::declared).collect();
    if let Some(workspace) = &asked.workspace {
        built.add_declared(workspace, &named, arguments, &shell)?;
    }
    for target in &asked.targets {
        if let Target::Found(task) = target {
            built.add_found(task, arguments, &shell)?;
        }
    }
    // Who asked for one task may talk to it.
    if let ([_], None, false) = (asked.targets.as_slice(), args.output, output.json) {
        built.give_channels(output.is_interactive());
    }
    Ok(built)
}

/// One task of the manifest and all that comes before it, as they would be run without arguments.
pub fn declared_alone(workspace: &Workspace, place: usize) -> Result<Vec<Job>, Error> {
    let mut built = Built::default();
    built.add_declared(workspace, &[place], &[], &environment::shell())?;
    Ok(built.jobs)
}

impl Target {
    fn declared(&self) -> Option<usize> {
        match self {
            Self::Declared(place) => Some(*place),
            Self::Found(_) => None,
        }
    }
}

impl Built {
    /// The one that was asked for gets our channels: what comes before it has ended by then.
    fn give_channels(&mut self, terminal: bool) {
        let asked = self.drawn.iter().position(|drawn| drawn.asked);
        let Some(place) = asked.filter(|place| self.jobs[*place].keep.is_none()) else { return };
        self.jobs[place].channels = Channels::Ours { terminal };
        self.nodes[place].alone = terminal;
    }

    fn add_declared(
        &mut self,
        workspace: &Workspace,
        named: &[usize],
        arguments: &[String],
        shell: &Shell,
    ) -> Result<(), Error> {
        let needed = workspace.task_graph.closure(named.iter().copied());
        let order: Vec<usize> = workspace.task_graph.order().iter().copied().filter(|place| needed[*place]).collect();
        let place_of: BTreeMap<usize, usize> = order.iter().enumerate().map(|(at, place)| (*place, at)).collect();
        let store = Store::new(locate::places()?.results(), u64::MAX);
        let mut locks: Vec<&String> = workspace.tasks.values().filter_map(|task| task.lock.as_ref()).collect();
        locks.sort();
        for place in &order {
            let task = &workspace.tasks[*place];
            let asked = named.contains(place);
            let job = job(workspace, task, if asked { arguments } else { &[] }, &place_of, shell);
            let last = job.keep.as_ref().and_then(|keep| store.last(&keep.task));
            if job.among {
                let name = |service| workspace.service(service).name.to_string();
                let needed = task.services.iter();
                let needed = needed.map(|it| Needed { name: name(it.service), condition: it.condition }).collect();
                let along = along(workspace, task);
                let name = task.job.as_ref().map(ToString::to_string);
                self.among.insert(
                    self.jobs.len(),
                    Among { name, needed, along, asked: task.environment.asked().map(str::to_owned).collect() },
                );
            }
            let needs: Vec<usize> = task.tasks.iter().map(|need| place_of[need]).collect();
            let services = task.services.iter().map(|it| workspace.service(it.service).name.to_string()).collect();
            self.nodes.push(Node {
                needs: needs.clone(),
                weight: last.map_or(1, |record| record.duration_ms.max(1)),
                lock: task.lock.as_ref().and_then(|lock| locks.binary_search(&lock).ok()),
                alone: false,
            });
            self.drawn.push(Drawn { name: task.name.to_string(), needs, services, asked });
            self.jobs.push(job);
        }
        Ok(())
    }

    fn add_found(&mut self, task: &tasks::Task, arguments: &[String], shell: &Shell) -> Result<(), Error> {
        let (Invoke::Argv { folder, .. }, Some(mut argv)) = (&task.invoke, task.invoke.with(task.runner, arguments))
        else {
            let message = format!("`{}` is run by {}, and not here", task.id, task.runner);
            let place = format!("it is defined in {}:{}", task.file.display(), task.draft.line);
            return Err(Error::new(Code::NotExecutable, message).hint(place));
        };
        // Another manifest's task is run by this very program, which PATH need not have.
        if task.runner == tasks::OWN
            && let Ok(program) = environment::program()
        {
            argv[0] = program.to_string_lossy().into_owned();
        }
        check_program(&argv[0], folder, shell)?;
        self.jobs.push(Job {
            name: task.id.clone(),
            argv,
            folder: folder.clone(),
            variables: shell.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            channels: Channels::Told,
            pod: None,
            among: false,
            lock: None,
            needs: Vec::new(),
            keep: None,
        });
        self.nodes.push(Node { weight: 1, ..Node::default() });
        self.drawn.push(Drawn { name: task.id.clone(), needs: Vec::new(), services: Vec::new(), asked: true });
        Ok(())
    }
}

/// The services that are there when a task's own turn has come, and what they need, in the order of a boot.
pub fn along(workspace: &Workspace, task: &Task) -> Vec<String> {
    let within = workspace.graph.closure(task.services.iter().map(|it| it.service));
    let order = workspace.graph.order().iter().filter(|place| within[**place]);
    order.map(|place| workspace.service(*place).name.to_string()).collect()
}

fn job(
    workspace: &Workspace,
    task: &Task,
    arguments: &[String],
    place_of: &BTreeMap<usize, usize>,
    shell: &Shell,
) -> Job {
    let argv = task.command.argv_with(arguments);
    let keep = Keep::of(workspace, task, &argv, shell);
    Job {
        name: task.name.to_string(),
        argv,
        folder: task.working_dir.clone(),
        variables: variables(workspace, task, shell),
        channels: Channels::Told,
        pod: None,
        among: !task.services.is_empty(),
        lock: task.lock.clone(),
        needs: task.tasks.iter().map(|need| (workspace.tasks[*need].name.to_string(), place_of[need])).collect(),
        keep,
    }
}

/// Somebody else's program of the same name would do anything.
fn check_program(program: &str, folder: &Path, shell: &Shell) -> Result<(), Error> {
    match programs::find(program, folder, shell.get("PATH").map(OsStr::new)) {
        Program::Found(_) | Program::Right(_) | Program::Unknown { .. } => Ok(()),
        Program::Wrong { path, owner, wanted, hint } => {
            let message = format!("`{program}` is {}, which is {owner}, and this task needs {wanted}", path.display());
            Err(Error::new(Code::NotExecutable, message).hint(hint))
        }
        // What is there and may not be executed is told apart by whoever tries.
        Program::Missing if program.contains('/') => Ok(()),
        Program::Missing => Err(Error::new(Code::NotFound, format!("`{program}` is not on PATH"))
            .hint(format!("install {program}, which runs this task"))),
    }
}
