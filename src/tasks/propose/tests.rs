//! One project for each way in which a service shows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::tasks::Unread;

/// Files by their paths from the root.
type Texts<'a> = &'a [(&'a str, &'a str)];

struct Files(BTreeMap<PathBuf, String>);

impl Tree for Files {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unread> {
        self.0.get(path).map(|text| text.clone().into_bytes()).ok_or(Unread::Missing)
    }

    fn is_file(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    fn is_executable(&self, _: &Path) -> bool {
        false
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let inside = self.0.keys().filter_map(|path| path.strip_prefix(folder).ok()?.iter().next()?.to_str());
        let mut names: Vec<String> = inside.map(str::to_owned).collect();
        names.dedup();
        names
    }
}

fn proposed(files: Texts<'_>) -> Proposed {
    let root = Path::new("/w/shop");
    let tree = Files(files.iter().map(|(path, text)| (root.join(path), (*text).to_owned())).collect());
    propose(root, &files.iter().map(|(path, _)| PathBuf::from(path)).collect::<Vec<_>>(), &tree)
}

/// Name, folder, command and port of each.
fn shown(files: Texts<'_>) -> Vec<String> {
    let port = |port: Option<u16>| port.map_or(String::new(), |port| format!(" :{port}"));
    let line = |it: &Proposal| format!("{} [{}] {}{}", it.name, it.folder.display(), it.command, port(it.port));
    proposed(files).services.iter().map(line).collect()
}

#[test]
fn each_framework_has_its_command_and_port() {
    let cases: [(Texts<'_>, &[&str]); 23] = [
        (
            &[("web/package.json", r#"{"scripts": {"dev": "next dev --turbo", "start": "next start"}}"#)],
            &["web [web] npm run dev :3000"],
        ),
        (
            &[
                ("web/package.json", r#"{"scripts": {"start": "NODE_ENV=dev PORT=4000 node server.js"}}"#),
                ("web/pnpm-lock.yaml", ""),
            ],
            &["web [web] pnpm run start :4000"],
        ),
        (
            &[
                ("api/package.json", r#"{"scripts": {"dev": "nodemon src/index.js"}}"#),
                ("api/src/index.js", "app.listen(process.env.PORT || 4100)"),
            ],
            &["api [api] npm run dev :4100"],
        ),
        (&[("lib/package.json", r#"{"scripts": {"dev": "tsc --watch", "start": "vite build"}}"#)], &[]),
        (
            &[("Procfile", "web: bundle exec puma\nworker: ./work -q\nrelease: ./migrate\n")],
            &["web [] bundle exec puma :5000", "worker [] ./work -q"],
        ),
        (
            &[("a/Procfile", "web: ./a\njobs: ./b\n"), ("b/Procfile", "web: ./c\n")],
            &["a-web [a] ./a :5000", "a-jobs [a] ./b", "b [b] ./c :5000"],
        ),
        (
            &[("users/manage.py", "import django"), ("users/uv.lock", "")],
            &["users [users] uv run python manage.py runserver :8000"],
        ),
        (&[("users/main.py", "app = FastAPI()\n")], &["users [users] uvicorn main:app --reload :8000"]),
        (&[("users/main.py", "api=FastAPI()\n")], &["users [users] uvicorn main:api --reload :8000"]),
        (
            &[("users/main.py", "x = MyFastAPI(\n  y=FastAPI()\napp: f.FastAPI=f.FastAPI(a=1)\n")],
            &["users [users] uvicorn main:app --reload :8000"],
        ),
        (&[("users/main.py", "if app == FastAPI():\n")], &[]),
        (&[("users/app.py", "app = Flask(__name__)\n")], &["users [users] flask --app app run --debug :5000"]),
        (&[("Gemfile", ""), ("bin/rails", ""), ("config/environment.rb", "")], &["shop [] bin/rails server :3000"]),
        (
            &[("Gemfile", "gem 'rails'"), ("bin/rails", ""), ("config/application.rb", ""), ("config.ru", "")],
            &["shop [] bin/rails server :3000"],
        ),
        (
            &[("Gemfile", ""), ("config/application.rb", "class A < Rails::Application"), ("config.ru", "")],
            &["shop [] bundle exec rails server :3000"],
        ),
        (
            &[
                ("go.mod", "module x"),
                ("gate/main.go", "package main\nfunc main() { http.ListenAndServe(\":9090\", nil) }"),
            ],
            &["gate [gate] go run . :9090"],
        ),
        (
            &[("r/Cargo.toml", "[dependencies]\naxum = '1'\n"), ("r/src/main.rs", "bind(\"0.0.0.0:3100\")")],
            &["r [r] cargo run :3100"],
        ),
        (
            &[("build.gradle", "plugins { id 'org.springframework.boot' }"), ("gradlew", "")],
            &["shop [] ./gradlew bootRun :8080"],
        ),
        (&[("deno.json", r#"{"tasks": {"dev": "deno run -A main.ts"}}"#)], &["shop [] deno task dev :8000"]),
        (&[("w/w.csproj", "<Project Sdk=\"Microsoft.NET.Sdk.Web\"/>")], &["w [w] dotnet run :5000"]),
        (
            &[("p/Dockerfile", "FROM a\nEXPOSE 7000\nCMD [\"python\", \"serve.py\"]\n")],
            &["p [p] python serve.py :7000"],
        ),
        (
            &[("p/Dockerfile", "FROM a\nCMD [\"uvicorn\", \"main:app\", \"--port\", \"8001\"]\n")],
            &["p [p] uvicorn main:app --port 8001 :8001"],
        ),
        (&[("p/Dockerfile", "FROM a\nEXPOSE 7000\nCMD python serve.py\n"), ("q/Dockerfile", "CMD [\"x\"]")], &[]),
    ];
    for (files, wanted) in cases {
        assert_eq!(shown(files), wanted, "{:?}", files[0].0);
    }
}

#[test]
fn compose_gives_names_ports_and_order() {
    let compose = "services:\n  front: {build: ./web, ports: ['8080:80'], depends_on: [users, db]}\n  users: {build: {context: svc/users}, ports: [{target: 9000}]}\n  db: {image: 'postgres:16'}\n";
    let found = proposed(&[
        ("compose.yaml", compose),
        ("svc/users/main.py", "app = FastAPI()\n"),
        ("web/package.json", r#"{"scripts": {"dev": "tsx a.ts --port 81"}}"#),
    ]);
    let web = found.services.iter().find(|it| it.name == "front").unwrap();
    assert_eq!((web.depends_on.as_slice(), web.port), (&["users".to_owned()][..], Some(81)));
    let because = "script `dev` of web/package.json:1; compose.yaml:2";
    assert_eq!(web.because, because);
    assert!(found.services.iter().any(|it| it.name == "users"));
    assert_eq!(found.notes, ["`db` of compose.yaml is a container (postgres:16); it stays with Compose"]);
}

#[test]
fn what_compose_builds_is_proposed_or_told_of() {
    let compose = "services:\n  api: {build: ./api, ports: ['8000:80'], command: serve -x}\n  jobs: {build: ./jobs}\n  old: {build: ./old, ports: [81]}\n";
    let files = [
        ("docker-compose.yml", compose),
        ("api/Dockerfile", "FROM a\nCMD [\"other\"]\n"),
        ("jobs/Dockerfile", "FROM a\nENTRYPOINT [\"work\"]\nCMD [\"-q\"]\n"),
        ("old/Dockerfile", "FROM a\nCMD ./start.sh $PORT\n"),
    ];
    assert_eq!(shown(&files), ["api [api] serve -x :80", "jobs [jobs] work -q"]);
    let note = "`old` of docker-compose.yml:4 is built, and what would run it without a container is not known; it stays with Compose";
    assert_eq!(proposed(&files).notes, [note]);
}

#[test]
fn a_release_is_a_task() {
    let found = proposed(&[("a/Procfile", "release: ./migrate -p 99\nweb: ./a\n"), ("b/Procfile", "web: ./b\n")]);
    let task = &found.tasks[0];
    assert_eq!(
        (&*task.name, &*task.command, task.port, &*task.because),
        ("a-release", "./migrate -p 99", None, "a/Procfile:1")
    );
    assert_eq!(found.services.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn who_only_starts_others_and_who_only_shows_is_left_out() {
    let found = proposed(&[
        ("package.json", r#"{"scripts": {"dev": "turbo run dev"}, "workspaces": ["apps/*"]}"#),
        ("apps/web/package.json", r#"{"scripts": {"dev": "vite"}}"#),
        ("examples/web/package.json", r#"{"scripts": {"dev": "vite"}}"#),
    ]);
    assert_eq!(found.services.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["web"]);
    let notes = [
        "script `dev` of package.json starts others with turbo, and is no service itself",
        "one in folders of examples, tests and documents left out (1)",
    ];
    assert_eq!(found.notes, notes);
}

#[test]
fn names_are_names_and_each_is_there_once() {
    let package = r#"{"scripts": {"dev": "vite"}}"#;
    let found = proposed(&[
        ("a/Web App/package.json", package),
        ("b/web/package.json", package),
        ("c/web/package.json", package),
    ]);
    assert_eq!(found.services.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["web-app", "web", "c-web"]);
}
