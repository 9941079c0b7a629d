//! One folder that is looked at, and what servers are known by.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::names::Built;
use super::ports::Ports;
use crate::tasks::around::Around;

/// A folder as guesses see it.
pub struct Folder<'a> {
    pub around: &'a Around<'a>,
    pub ports: &'a Ports,
    /// Absolute.
    pub path: PathBuf,
    /// From the root.
    pub shown: &'a Path,
    /// What a Compose file builds of it.
    pub composed: Option<&'a Built>,
}

impl Folder<'_> {
    /// Whether it has a file.
    pub fn has(&self, name: &str) -> bool {
        self.around.is_file(&self.path.join(name))
    }

    /// The text of a file, if it is there and text.
    pub fn text(&self, name: &str) -> Option<Arc<str>> {
        self.around.text_if_any(&self.path.join(name))?.ok()
    }

    /// A file as people see it, from the root.
    pub fn shown(&self, name: &str) -> String {
        self.shown.join(name).display().to_string()
    }
}

/// Words of a command that serves, and where it listens unless it is told otherwise. A command fits if it begins with the
/// words; the longer come first.
pub const SERVERS: [(&str, Option<u16>); 58] = [
    ("next dev", Some(3000)),
    ("next start", Some(3000)),
    ("nuxt dev", Some(3000)),
    ("nuxi dev", Some(3000)),
    ("astro dev", Some(4321)),
    ("remix dev", Some(3000)),
    ("remix vite:dev", Some(5173)),
    ("react-router dev", Some(5173)),
    ("vite preview", Some(4173)),
    ("vite dev", Some(5173)),
    ("vite serve", Some(5173)),
    ("vite", Some(5173)),
    ("svelte-kit dev", Some(3000)),
    ("ng serve", Some(4200)),
    ("ember serve", Some(4200)),
    ("vue-cli-service serve", Some(8080)),
    ("react-scripts start", Some(3000)),
    ("craco start", Some(3000)),
    ("gatsby develop", Some(8000)),
    ("webpack serve", Some(8080)),
    ("webpack-dev-server", Some(8080)),
    ("rspack serve", Some(8080)),
    ("rsbuild dev", Some(3000)),
    ("parcel", Some(1234)),
    ("nest start", Some(3000)),
    ("quasar dev", Some(9000)),
    ("wrangler dev", Some(8787)),
    ("strapi develop", Some(1337)),
    ("strapi dev", Some(1337)),
    ("medusa develop", Some(9000)),
    ("payload dev", Some(3000)),
    ("vitepress dev", Some(5173)),
    ("docusaurus start", Some(3000)),
    ("eleventy --serve", Some(8080)),
    ("http-server", Some(8080)),
    ("json-server", Some(3000)),
    ("serve", Some(3000)),
    ("sanity dev", Some(3333)),
    ("redwood dev", Some(8910)),
    ("adonis serve", Some(3333)),
    ("node ace serve", Some(3333)),
    ("nodemon", None),
    ("ts-node-dev", None),
    ("tsnd", None),
    ("tsx", None),
    ("ts-node", None),
    ("node", None),
    ("bun", None),
    ("fastify start", Some(3000)),
    ("uvicorn", Some(8000)),
    ("fastapi dev", Some(8000)),
    ("fastapi run", Some(8000)),
    ("hypercorn", Some(8000)),
    ("gunicorn", Some(8000)),
    ("flask run", Some(5000)),
    ("rackup", Some(9292)),
    ("puma", Some(9292)),
    ("php artisan serve", Some(8000)),
];

/// Words of a command that only starts others, which are services by themselves.
pub const STARTERS: [&str; 24] = [
    "turbo",
    "nx",
    "lerna",
    "lage",
    "rush",
    "moon",
    "wireit",
    "concurrently",
    "npm-run-all",
    "npm-run-all2",
    "run-p",
    "run-s",
    "foreman",
    "overmind",
    "hivemind",
    "honcho",
    "mprocs",
    "process-compose",
    "docker",
    "docker-compose",
    "podman",
    "tilt",
    "skaffold",
    "nagaya",
];
