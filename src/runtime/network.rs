//! How host processes see the network here: the best that this machine allows, or what the manifest asks for.

use super::Problem as Refused;
use crate::effects::trial::Possible;
use crate::launcher::pod::Failure;
use crate::manifest::{Problem, Problems, Severity};
use crate::model::{NetworkMode, Workspace};
use crate::plan::{Lint, clashes, crowded, wildcards};
use crate::view::located;

/// The mode that `auto` means, with a word to the user where that is not the best one. A mode that was asked for and
/// is not possible here is a problem; what else stands against it tells [`add_clashes`]. This account may listen from `lowest` on.
pub fn choose(
    workspace: &Workspace,
    possible: &Possible,
    lowest: u16,
) -> Result<(NetworkMode, Option<String>), Refused> {
    for (mode, tried) in [(NetworkMode::Pod, possible.pod), (NetworkMode::Names, possible.names)] {
        if let (Err(failure), Some(service)) = (tried, asks(workspace, Some(mode))) {
            return Err(Refused::NoMode { service, mode: mode.word().to_owned(), reason: failure.to_string() });
        }
    }
    let Err(failure) = possible.pod else { return Ok((NetworkMode::Pod, None)) };
    let best = possible.best();
    let clash = match best {
        NetworkMode::Names => clashes(workspace, best, lowest).into_iter().next(),
        NetworkMode::Pod | NetworkMode::Env => None,
    };
    let auto = if clash.is_some() { NetworkMode::Env } else { best };
    // Only pods could give that.
    has_room(workspace, auto)?;
    // Without it there would be no names at all.
    let clash = clash.or_else(|| wildcards(workspace, auto).into_iter().next());
    Ok((auto, asks(workspace, None).map(|_| notice(auto, failure, clash))))
}

/// Whether all instances of all services find a port in this mode.
pub fn has_room(workspace: &Workspace, auto: NetworkMode) -> Result<(), Refused> {
    match crowded(workspace, auto).into_iter().next() {
        Some(Lint { message, hint, .. }) => Err(Refused::Scale { message, hint }),
        None => Ok(()),
    }
}

/// What a mode that is asked for by name cannot give this workspace becomes problems of its manifest.
pub fn add_clashes(workspace: &Workspace, problems: &mut Problems, lowest: u16) {
    let clashes = clashes(workspace, NetworkMode::Env, lowest).into_iter();
    let clashes = clashes.chain(wildcards(workspace, NetworkMode::Env)).chain(crowded(workspace, NetworkMode::Pod));
    for clash in clashes {
        let problem = Problem { severity: Severity::Error, ..located(workspace, &clash, problems) };
        problems.push(problem);
    }
}

/// The first service whose mode this is; `None` is `auto`.
fn asks(workspace: &Workspace, mode: Option<NetworkMode>) -> Option<String> {
    let mut processes = workspace.services.values().filter(|service| service.command().is_some());
    processes.find(|service| service.network.or(workspace.network) == mode).map(|service| service.name.to_string())
}

fn notice(auto: NetworkMode, failure: Failure, clash: Option<Lint>) -> String {
    let means = match auto {
        NetworkMode::Names => "names lead to loopback addresses, and each program listens on its `PORT`",
        NetworkMode::Pod | NetworkMode::Env => "addresses come in variables",
    };
    let also = clash.map(|clash| format!("; {}", clash.message)).unwrap_or_default();
    format!(
        "services share this machine's network (mode `{}`: {means}), as pods are not possible here: {failure}{also}; \
         `nagaya doctor` tells how they would be",
        auto.word()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launcher::pod::Step;

    const BROKEN: Result<(), Failure> = Err(Failure { step: Step::Redirects, errno: 2 });

    fn workspace(text: &str) -> Workspace {
        let (workspace, problems) = load(text);
        workspace.unwrap_or_else(|| panic!("{:?}", problems.list))
    }

    fn load(text: &str) -> (Option<Workspace>, Problems) {
        struct One<'a>(&'a str);
        impl crate::manifest::Files for One<'_> {
            fn read(&self, _: &std::path::Path) -> std::io::Result<Vec<u8>> {
                Ok(self.0.as_bytes().to_vec())
            }
            fn is_dir(&self, _: &std::path::Path) -> bool {
                true
            }
            fn canonical(&self, path: &std::path::Path) -> std::io::Result<std::path::PathBuf> {
                Ok(path.to_owned())
            }
        }
        let request = crate::manifest::Request {
            files: vec!["/w/nagaya.yaml".into()],
            explicit: true,
            project: None,
            profiles: Vec::new(),
            no_env_file: true,
            guest: false,
        };
        crate::manifest::load(&request, &crate::plan::Shell::default(), &One(text))
    }

    /// Problems as `code line: message`.
    fn clashing(text: &str) -> Vec<String> {
        let (workspace, mut problems) = load(text);
        add_clashes(&workspace.unwrap(), &mut problems, 1024);
        let line = |problem: &Problem| problems.sources.position(problem.at.unwrap()).line;
        assert!(problems.list.iter().all(|problem| problem.severity == Severity::Error));
        problems.list.iter().map(|it| format!("{} {}: {}", it.code, line(it), it.message)).collect()
    }

    fn chosen(text: &str, pod: Result<(), Failure>, names: Result<(), Failure>) -> (NetworkMode, String) {
        let (mode, notice) = choose(&workspace(text), &Possible { pod, names }, 1024).unwrap();
        (mode, notice.unwrap_or_default())
    }

    const PLAIN: &str = "services: { a: { command: x, depends_on: b }, b: { command: x, ports: 8080 } }";

    #[test]
    fn auto_is_the_best_that_there_is_and_what_is_less_is_said() {
        assert_eq!(chosen(PLAIN, Ok(()), Ok(())), (NetworkMode::Pod, String::new()));
        let (mode, notice) = chosen(PLAIN, BROKEN, Ok(()));
        assert_eq!(mode, NetworkMode::Names);
        assert!(notice.contains("mode `names`") && notice.contains("cannot redirect calls"), "{notice}");
        let (mode, notice) = chosen(PLAIN, BROKEN, BROKEN);
        assert!(mode == NetworkMode::Env && notice.contains("mode `env`"), "{notice}");
        // Nobody leaves it open.
        let asked = format!("network: env\n{PLAIN}");
        assert_eq!(chosen(&asked, BROKEN, BROKEN).1, "");
    }

    #[test]
    fn a_workspace_that_names_cannot_serve_falls_to_env() {
        let low = "services: { a: { command: x, depends_on: b }, b: { command: x, ports: 80 } }";
        let (mode, notice) = chosen(low, BROKEN, Ok(()));
        assert_eq!(mode, NetworkMode::Env);
        assert!(notice.contains("a calls b at port 80") && notice.contains("from port 1024 on"), "{notice}");
    }

    #[test]
    fn names_that_a_hosts_file_cannot_have_are_said_and_change_nothing() {
        let star = "services: { a: { command: x, depends_on: b }, \
                    b: { command: x, ports: 8080, hostnames: '*.b.example.com' } }";
        let (mode, notice) = chosen(star, BROKEN, Ok(()));
        assert_eq!(mode, NetworkMode::Names);
        assert!(notice.contains("a finds no name below `*.b.example.com`"), "{notice}");
        assert_eq!(chosen(star, Ok(()), Ok(())), (NetworkMode::Pod, String::new()));
        assert!(!chosen(star, BROKEN, BROKEN).1.contains("example.com"));
        let refused = clashing(&format!("network: names\n{star}"));
        assert!(refused[0].starts_with("names_wildcard 2:") && refused[0].contains("`*.b.example.com`"), "{refused:?}");
        assert_eq!(clashing(star), [""; 0]);
    }

    #[test]
    fn several_instances_that_insist_on_one_port_need_pods() {
        let insists = "services: { a: { command: x, ports: 8080, listen: 8080, replicas: 2 } }";
        let told = |text: &str, pod| {
            choose(&workspace(text), &Possible { pod, names: Ok(()) }, 1024).map_err(|problem| problem.to_string())
        };
        assert_eq!(told(insists, Ok(())), Ok((NetworkMode::Pod, None)));
        let expected =
            |mode| format!("a is to have 2 instances, all on port 8080 of this machine (network mode `{mode}`)");
        assert_eq!(told(insists, BROKEN), Err(expected("names")));
        assert_eq!(clashing(&format!("network: env\n{insists}")), [format!("crowded 2: {}", expected("env"))]);
        let rolls = "network: env\nservices: { a: { command: x, ports: 1, listen: 8080, strategy: rolling } }";
        let refused = clashing(rolls);
        assert!(refused[0].contains("two instances while one is replaced"), "{refused:?}");
        // One that takes the port that it is told has as many as are wanted.
        assert!(told("network: env\nservices: { a: { command: x, ports: 8080, replicas: 2 } }", BROKEN).is_ok());
    }

    #[test]
    fn what_is_asked_for_and_cannot_be_had_is_a_problem() {
        let refused =
            |text: &str, possible: Possible| choose(&workspace(text), &possible, 1024).unwrap_err().to_string();
        let none = Possible { pod: BROKEN, names: BROKEN };
        for mode in ["pod", "names"] {
            let said = refused(&format!("network: {mode}\n{PLAIN}"), none);
            assert!(said.contains(&format!("a wants `network: {mode}`")) && said.contains("nf_tables"), "{said}");
        }
        let low = "network: names\nservices: { a: { command: x, depends_on: b }, b: { command: x, ports: 80 } }";
        let refused = clashing(low);
        assert!(refused[0].starts_with("names_clash 2:") && refused[0].contains("from port 1024 on"), "{refused:?}");
    }
}
