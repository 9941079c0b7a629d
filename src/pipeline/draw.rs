//! A pipeline as a picture.

use std::collections::HashSet;

/// A task of a picture.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Drawn {
    pub name: String,
    /// What comes before it, by place.
    pub needs: Vec<usize>,
    /// Services that it needs.
    pub services: Vec<String>,
    /// Somebody asked for it.
    pub asked: bool,
}

/// A tree from what was asked for to what comes first. What was drawn above is not drawn again.
pub fn draw(tasks: &[Drawn]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut seen = HashSet::new();
    for place in (0..tasks.len()).filter(|place| tasks[*place].asked) {
        branch(tasks, place, "", "", &mut seen, &mut lines);
    }
    lines
}

/// Depth-first with a stack of its own: a chain of tasks may be long.
fn branch(tasks: &[Drawn], root: usize, head: &str, below: &str, seen: &mut HashSet<usize>, lines: &mut Vec<String>) {
    let mut todo = vec![(root, head.to_owned(), below.to_owned())];
    while let Some((place, head, below)) = todo.pop() {
        let task = &tasks[place];
        let is_new = seen.insert(place);
        let again = if is_new || task.needs.is_empty() { "" } else { "  (above)" };
        let services =
            if task.services.is_empty() { String::new() } else { format!("  [{}]", task.services.join(", ")) };
        lines.push(format!("{head}{}{services}{again}", task.name));
        if !is_new {
            continue;
        }
        let last = task.needs.len().saturating_sub(1);
        for (at, need) in task.needs.iter().enumerate().rev() {
            let (own, rest) = if at == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            todo.push((*need, format!("{below}{own}"), format!("{below}{rest}")));
        }
    }
}

/// For Graphviz: an arrow leads from what comes first to what waits for it.
pub fn draw_dot(tasks: &[Drawn]) -> Vec<String> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut lines = vec!["digraph tasks {".to_owned(), "  rankdir=LR;".to_owned()];
    let services: std::collections::BTreeSet<&String> = tasks.iter().flat_map(|task| &task.services).collect();
    lines.extend(tasks.iter().map(|task| format!("  {} [shape=box];", quoted(&task.name))));
    lines.extend(services.into_iter().map(|service| format!("  {} [shape=ellipse];", quoted(service))));
    for (from, to) in arrows(tasks) {
        lines.push(format!("  {} -> {};", quoted(from), quoted(to)));
    }
    lines.push("}".to_owned());
    lines
}

/// For Mermaid.
pub fn draw_mermaid(tasks: &[Drawn]) -> Vec<String> {
    let mut names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let services: std::collections::BTreeSet<&String> = tasks.iter().flat_map(|task| &task.services).collect();
    let first_service = names.len();
    names.extend(services.into_iter().map(String::as_str));
    let mut lines = vec!["flowchart LR".to_owned()];
    for (at, name) in names.iter().enumerate() {
        let (open, close) = if at < first_service { ("[", "]") } else { ("([", "])") };
        lines.push(format!("  n{at}{open}\"{}\"{close}", name.replace('"', "#quot;")));
    }
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap_or(0);
    lines.extend(arrows(tasks).map(|(from, to)| format!("  n{} --> n{}", place(from), place(to))));
    lines
}

fn arrows(tasks: &[Drawn]) -> impl Iterator<Item = (&str, &str)> {
    tasks.iter().flat_map(|task| {
        let needs = task.needs.iter().map(|need| tasks[*need].name.as_str());
        let services = task.services.iter().map(String::as_str);
        needs.chain(services).map(|from| (from, task.name.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> Vec<Drawn> {
        let task = |name: &str, needs: &[usize], services: &[&str], asked| Drawn {
            name: name.to_owned(),
            needs: needs.to_vec(),
            services: services.iter().map(|&it| it.to_owned()).collect(),
            asked,
        };
        vec![
            task("proto", &[], &[], false),
            task("build", &[0], &[], false),
            task("test", &[1, 3], &["db"], true),
            task("lint", &[1], &[], false),
        ]
    }

    #[test]
    fn a_tree_shows_each_branch_once() {
        let wanted = ["test  [db]", "├─ build", "│  └─ proto", "└─ lint", "   └─ build  (above)"];
        assert_eq!(draw(&tasks()), wanted);
    }

    #[test]
    fn other_programs_draw_it_too() {
        let dot = draw_dot(&tasks()).join("\n");
        assert!(dot.contains("\"proto\" -> \"build\";") && dot.contains("\"db\" -> \"test\";"), "{dot}");
        let mermaid = draw_mermaid(&tasks()).join("\n");
        assert!(mermaid.contains("n4([\"db\"])") && mermaid.contains("n4 --> n2"), "{mermaid}");
    }
}
