//! Servers of other languages, by their frameworks; at last what a container would run.

use super::frameworks::Folder;
use super::node::listens;
use super::{Guess, ports};
use crate::tasks::package_manager;

/// The first that fits.
pub fn guess(folder: &Folder<'_>) -> Option<Guess> {
    [django, rails, python, laravel, phoenix, go, rust, jvm, dotnet, rack, container]
        .into_iter()
        .find_map(|it| it(folder))
}

fn found(folder: &Folder<'_>, file: &str, command: impl Into<String>, by: &str, port: Option<u16>) -> Option<Guess> {
    let because = format!("{}{}", folder.shown(file), listens(port, by));
    Some(Guess { command: command.into(), port, because, ..Guess::default() })
}

/// `uv run python`, `poetry run flask`, or the environment's own program.
fn by_python(folder: &Folder<'_>, program: &str) -> String {
    let (words, _) = package_manager::python(folder.around, &folder.path, program);
    let own = folder.path.display().to_string();
    words.join(" ").replace(&format!("{own}/"), "")
}

fn django(folder: &Folder<'_>) -> Option<Guess> {
    let text = folder.text("manage.py").filter(|text| text.contains("django"))?;
    drop(text);
    found(folder, "manage.py", format!("{} manage.py runserver", by_python(folder, "python")), "Django", Some(8000))
}

/// Applications of FastAPI and Flask, where the file that makes one is easily found.
fn python(folder: &Folder<'_>) -> Option<Guess> {
    const FILES: [(&str, &str); 8] = [
        ("main.py", "main"),
        ("app.py", "app"),
        ("server.py", "server"),
        ("app/main.py", "app.main"),
        ("app/__init__.py", "app"),
        ("src/main.py", "src.main"),
        ("api/main.py", "api.main"),
        ("wsgi.py", "wsgi"),
    ];
    FILES.into_iter().find_map(|(file, module)| {
        let text = folder.text(file)?;
        let variable = |class: &str| text.lines().find_map(|line| assigned(line, class));
        let said = folder.ports.of_source(&text);
        if let Some(app) = variable("FastAPI").or_else(|| variable("Starlette")) {
            let port = said.unwrap_or(8000);
            let flag = if port == 8000 { String::new() } else { format!(" --port {port}") };
            let command = format!("{} {module}:{app} --reload{flag}", by_python(folder, "uvicorn"));
            return found(folder, file, command, "uvicorn", Some(port));
        }
        variable("Flask")?;
        let port = said.unwrap_or(5000);
        let flag = if port == 5000 { String::new() } else { format!(" --port {port}") };
        found(
            folder,
            file,
            format!("{} --app {module} run --debug{flag}", by_python(folder, "flask")),
            "Flask",
            Some(port),
        )
    })
}

/// `app` of `app: fastapi.FastAPI = fastapi.FastAPI(`, at a line's beginning, for this class.
fn assigned(line: &str, class: &str) -> Option<String> {
    let (before, _) = line.split_once(&format!("{class}("))?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let rest = before.trim_end_matches(|c| is_word(c) || c == '.');
    let module = &before[rest.len()..];
    let name = rest.trim_end().strip_suffix('=')?.split(':').next()?.trim_end();
    let fits = (module.is_empty() || module.ends_with('.')) && !name.is_empty() && name.chars().all(is_word);
    fits.then(|| name.to_owned())
}

fn rails(folder: &Folder<'_>) -> Option<Guess> {
    let file = ["config/environment.rb", "config/application.rb"].into_iter().find(|file| folder.has(file))?;
    if folder.has("bin/rails") {
        return found(folder, "bin/rails", "bin/rails server", "Rails", Some(3000));
    }
    let text = folder.text(file).filter(|text| text.contains("Rails.") || text.contains("Rails::"))?;
    drop(text);
    let words = package_manager::ruby(folder.around, &folder.path, "rails").join(" ");
    found(folder, file, format!("{words} server"), "Rails", Some(3000))
}

fn rack(folder: &Folder<'_>) -> Option<Guess> {
    folder.has("config.ru").then_some(())?;
    let words = package_manager::ruby(folder.around, &folder.path, "rackup").join(" ");
    found(folder, "config.ru", words, "rackup", Some(9292))
}

fn laravel(folder: &Folder<'_>) -> Option<Guess> {
    let is_artisan = folder.has("artisan") && folder.has("composer.json");
    is_artisan.then(|| found(folder, "artisan", "php artisan serve", "Laravel", Some(8000))).flatten()
}

fn phoenix(folder: &Folder<'_>) -> Option<Guess> {
    folder.text("mix.exs").filter(|text| text.contains("{:phoenix,"))?;
    found(folder, "mix.exs", "mix phx.server", "Phoenix", Some(4000))
}

/// A module with a program at its top, or several in `cmd`, of which only a single one is certain.
fn go(folder: &Folder<'_>) -> Option<Guess> {
    let serves = |text: &str| text.contains("package main") && text.contains("func main()");
    if let Some(text) = folder.text("main.go").filter(|text| serves(text)) {
        let of_module = folder.around.nearest(&folder.path, &["go.mod"]).is_some();
        let port = folder.ports.of_source(&text);
        let is_server =
            port.is_some() || ["ListenAndServe", "grpc.NewServer", "net.Listen"].iter().any(|it| text.contains(it));
        return (of_module && is_server).then(|| found(folder, "main.go", "go run .", "", port)).flatten();
    }
    None
}

/// A crate with a program and a server's framework among its dependencies.
fn rust(folder: &Folder<'_>) -> Option<Guess> {
    const SERVERS: [&str; 9] = ["actix-web", "axum", "hyper", "poem", "rocket", "salvo", "tide", "tonic", "warp"];
    let manifest = folder.around.toml(&folder.path.join("Cargo.toml")).ok()?;
    let text = folder.text("src/main.rs")?;
    let dependencies = manifest.below(&["dependencies"]);
    let by = SERVERS.into_iter().find(|name| dependencies.iter().any(|(key, _)| &*key.text == *name))?;
    let port = folder.ports.of_source(&text).or((by == "rocket").then_some(8000));
    found(folder, "Cargo.toml", "cargo run", by, port)
}

fn jvm(folder: &Folder<'_>) -> Option<Guess> {
    let wrapper = |name: &str, plain: &str| match folder.around.nearest(&folder.path, &[name]) {
        Some((_, path)) => crate::tasks::launch::relative(&path, &folder.path),
        None => plain.to_owned(),
    };
    let build = ["build.gradle.kts", "build.gradle"].into_iter().find_map(|it| Some((it, folder.text(it)?)));
    if let Some((file, text)) = build {
        // Where a plugin is named `apply false`, it is for other projects.
        let has = |plugin: &str| text.lines().any(|line| line.contains(plugin) && !line.contains("apply false"));
        let gradle = wrapper("gradlew", "gradle");
        if has("org.springframework.boot") {
            return found(folder, file, format!("{gradle} bootRun"), "Spring Boot", spring(folder));
        }
        if has("io.quarkus") {
            return found(folder, file, format!("{gradle} quarkusDev"), "Quarkus", Some(8080));
        }
    }
    let text = folder.text("pom.xml")?;
    let maven = wrapper("mvnw", "mvn");
    if text.contains("<artifactId>spring-boot-maven-plugin</artifactId>") {
        return found(folder, "pom.xml", format!("{maven} spring-boot:run"), "Spring Boot", spring(folder));
    }
    let is_quarkus = text.contains("<artifactId>quarkus-maven-plugin</artifactId>");
    is_quarkus.then(|| found(folder, "pom.xml", format!("{maven} quarkus:dev"), "Quarkus", Some(8080))).flatten()
}

/// `server.port` of Spring's own file.
fn spring(folder: &Folder<'_>) -> Option<u16> {
    let resources = |name: &str| folder.text(&format!("src/main/resources/{name}"));
    let said = resources("application.properties").and_then(|text| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix("server.port")?.trim_start_matches(['=', ' ']).parse().ok())
    });
    let yaml = || {
        let names = ["application.yml", "application.yaml"];
        let text = names.into_iter().find_map(resources)?;
        let root = crate::tasks::formats::yaml::parse(&text).ok()?;
        root.path(&["server", "port"])?.scalar()?.parse().ok()
    };
    said.or_else(yaml).or(Some(8080))
}

fn dotnet(folder: &Folder<'_>) -> Option<Guess> {
    let names = folder.around.names(&folder.path);
    let project = names.iter().find(|name| name.ends_with(".csproj") || name.ends_with(".fsproj"))?;
    folder.text(project).filter(|text| text.contains("Microsoft.NET.Sdk.Web"))?;
    let said = folder.text("Properties/launchSettings.json").and_then(|text| {
        let (_, rest) = text.split_once("http://localhost:")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    });
    found(folder, project, "dotnet run", "ASP.NET", said.or(Some(5000)))
}

/// What a container would be started with, where it is a plain list of words. One that listens nowhere is a service if Compose
/// says so.
fn container(folder: &Folder<'_>) -> Option<Guess> {
    let file = ["Dockerfile", "Containerfile"].into_iter().find(|name| folder.has(name))?;
    let text = folder.text(file)?;
    let last = |word: &str| {
        let mut lines = text.lines().map(str::trim).filter_map(|line| {
            let (first, rest) = line.split_once(char::is_whitespace)?;
            first.eq_ignore_ascii_case(word).then(|| rest.trim())
        });
        lines.next_back().and_then(|list| serde_json::from_str::<Vec<String>>(list).ok())
    };
    let composed = folder.composed.and_then(|it| it.command.clone());
    let command = composed.or_else(|| last("CMD"));
    let words: Vec<String> = last("ENTRYPOINT").into_iter().chain(command).flatten().collect();
    let is_here = |word: &String| !word.starts_with('/') && !word.contains([' ', '$', '"', '\'']);
    if words.is_empty() || !words.iter().all(is_here) || words[0].starts_with("./") && !folder.has(&words[0][2..]) {
        return None;
    }
    let command = words.join(" ");
    let port = ports::of_dockerfile(&text).or_else(|| folder.ports.of_command(&command));
    let is_service = port.is_some() || folder.composed.is_some();
    is_service.then(|| found(folder, file, command, "its container", port)).flatten()
}
