//! Services of Docker Compose, <https://docs.docker.com/reference/compose-file/services/>.

use crate::tasks::formats::Node;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Kind};

pub const RUNNER: Runner = Runner::new("compose", read)
    .first(&["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"])
    .runs(Via::Path, &["docker", "compose", "up", "{}"]);

/// Files that Compose merges over the main one by itself.
const OVERRIDES: [&str; 4] =
    ["compose.override.yaml", "compose.override.yml", "docker-compose.override.yaml", "docker-compose.override.yml"];

fn read(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let mut reading = Reading::of(services(&root));
    for name in OVERRIDES.iter().filter(|name| look.has(name)) {
        let path = look.folder.join(name);
        match look.around.yaml(&path) {
            Ok(overlay) => {
                for mut draft in services(&overlay) {
                    match reading.tasks.iter_mut().find(|it| it.name == draft.name) {
                        Some(old) => old.depends_on.extend(draft.depends_on),
                        None => {
                            draft.file = Some(path.clone());
                            reading.tasks.push(draft);
                        }
                    }
                }
            }
            Err(error) => reading.uncounted(format!("{name} cannot be read: {}", error.reason)),
        }
    }
    if root.get("include").is_some() {
        reading.uncounted("services of included files (`include`)");
    }
    Ok(reading.unless_empty())
}

fn services(root: &Node) -> Vec<Draft> {
    let services = root.below(&["services"]).iter().filter(|(key, _)| !key.text.starts_with("x-"));
    let drafts = services.map(|(key, service)| {
        let command = service.texts_of("command").join(" ");
        let profiles = service.texts_of("profiles");
        let draft = Draft::new(&*key.text, key.at.line)
            .kind(Kind::Service)
            .group((!profiles.is_empty()).then(|| profiles.join(", ")))
            .after(service.names_of("depends_on"))
            .runs(if command.is_empty() { image(service) } else { command });
        match profiles.first() {
            Some(profile) => draft.words(["docker", "compose", "--profile", profile.as_str(), "up", &*key.text]),
            None => draft,
        }
    });
    drafts.collect()
}

fn image(service: &Node) -> String {
    let build = service.get("build").and_then(|build| build.text().or_else(|| build.text_of("context")));
    match (service.text_of("image"), build) {
        (Some(image), _) => format!("image {image}"),
        (None, Some(folder)) => format!("build {folder}"),
        (None, None) => String::new(),
    }
}
