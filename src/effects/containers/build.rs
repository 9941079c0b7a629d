//! Building images: the files of a context go to the engine as one archive, and what it says into a log.
//!
//! Whether anything changed since the last build is told by a hash of all that goes into it, which the image bears as a
//! label: neither a change is missed nor an archive sent in vain. BuildKit builds where the engine has it, else what was
//! there before.

use std::collections::HashMap;
use std::io;

use bollard::query_parameters::{BuildImageOptions, TagImageOptions};
use futures_util::StreamExt;

use super::buildkit::{self, Order};
use super::context::Context;
use super::credentials;
use super::engine::{Engine, said, told};
use super::words::Words;
use crate::model::{Build, Image};

/// The label with the hash.
const MADE_OF: &str = "nagaya.made-of";

/// What is to be built.
#[derive(Debug)]
pub struct Job<'a> {
    /// The name that the image is to have.
    pub name: &'a str,
    pub image: &'a Image,
    pub shell: &'a HashMap<String, String>,
    /// Whatever is there is too old.
    pub is_old: bool,
}

/// The tag of an image without a name: builds that are alike share it.
pub fn key(build: &Build, platform: Option<&str>) -> String {
    let text = format!("{build:?} {platform:?}");
    blake3::hash(text.as_bytes()).to_hex().chars().take(12).collect()
}

/// Builds an image, unless it is there and made of the same.
pub async fn build(engine: &Engine, build: &Build, job: &Job<'_>, words: &mut Words) -> Result<(), String> {
    let args: HashMap<String, String> = build
        .args
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.clone().or_else(|| job.shell.get(key).cloned())?)))
        .collect();
    let (wanted, own, platform) = (build.clone(), args.clone(), job.image.platform.clone());
    let read = tokio::task::spawn_blocking(move || {
        let context = Context::read(&wanted)?;
        let made_of = context.hash(&wanted, &own, platform.as_deref());
        Ok::<_, io::Error>((context, made_of))
    });
    let read = read.await.map_err(|error| error.to_string())?;
    let (context, made_of) = read.map_err(|error| format!("the build: {error}"))?;
    let labels = |it: bollard::models::ImageInspect| it.config?.labels;
    let known = engine.docker.inspect_image(job.name).await.ok().and_then(labels);
    if !job.is_old && known.is_some_and(|labels| labels.get(MADE_OF) == Some(&made_of)) {
        return Ok(());
    }
    words.line(&format!("building {} from {}", job.name, build.context.display())).await;
    let labels: HashMap<String, String> = build.labels.iter().cloned().chain([(MADE_OF.to_owned(), made_of)]).collect();
    let failed = |reason: String| format!("the image {} could not be built: {reason}", job.name);
    let Some(lacking) = buildkit::lacking(engine).await else {
        let dockerfile = context.dockerfile.clone();
        let order = Order {
            build,
            names: std::iter::once(job.name).chain(build.tags.iter().map(String::as_str)).collect(),
            dockerfile: &dockerfile,
            args: &args,
            labels: &labels,
            platform: job.image.platform.as_deref(),
            shell: job.shell,
        };
        return buildkit::build(engine, &order, context.stream(), words).await.map_err(failed);
    };
    if !build.secrets.is_empty() {
        return Err(failed(format!("its `secrets` need BuildKit, and {lacking}")));
    }
    without_buildkit(engine, (build, job), (args, labels), context, words).await.map_err(failed)
}

/// What engines have that have no BuildKit.
async fn without_buildkit(
    engine: &Engine,
    (build, job): (&Build, &Job<'_>),
    (args, labels): (HashMap<String, String>, HashMap<String, String>),
    context: Context,
    words: &mut Words,
) -> Result<(), String> {
    let options = BuildImageOptions {
        dockerfile: context.dockerfile.clone(),
        t: Some(job.name.to_owned()),
        nocache: build.no_cache,
        pull: build.pull.then(|| "true".to_owned()),
        rm: true,
        forcerm: true,
        buildargs: (!args.is_empty()).then_some(args),
        labels: Some(labels),
        target: build.target.clone().unwrap_or_default(),
        platform: job.image.platform.clone().unwrap_or_default(),
        cachefrom: (!build.cache_from.is_empty()).then(|| build.cache_from.clone()),
        networkmode: build.network.clone(),
        ..BuildImageOptions::default()
    };
    let archive = bollard::body_try_stream(context.stream());
    let docker = engine.patient();
    let asked = "waiting for the helpers that Docker's configuration names for registries";
    let credentials = told(credentials::all(), words.line(asked)).await;
    let mut news = docker.build_image(options, credentials, Some(archive));
    while let Some(one) = news.next().await {
        let one = one.map_err(|error| said(&error))?;
        if let Some(text) = one.stream.as_deref().or(one.status.as_deref()).filter(|text| !text.trim().is_empty()) {
            words.line(text).await;
        }
    }
    for tag in &build.tags {
        let (repo, tag) = super::image::split(tag);
        let options = TagImageOptions { repo: Some(repo.to_owned()), tag: Some(tag.to_owned()) };
        engine.docker.tag_image(job.name, Some(options)).await.map_err(|error| said(&error))?;
    }
    Ok(())
}
