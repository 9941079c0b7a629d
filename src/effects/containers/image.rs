//! Images: there already, fetched, or built.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt;

use super::engine::{Engine, said, status, told};
use super::life::waits;
use super::words::Words;
use super::{build, credentials};
use crate::model::{Image, Pull};

/// How new an image has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As `pull_policy` and the files of a build say.
    Usual,
    /// Fetched or built now.
    New,
}

/// Between two lines that tell how far a pull is.
const PAUSE: Duration = Duration::from_secs(1);

/// The name by which the engine knows an image.
pub fn reference(image: &Image, workspace: &str) -> String {
    match (&image.name, &image.build) {
        (Some(name), _) => name.clone(),
        (None, Some(build)) => format!("nagaya-{workspace}:{}", build::key(build, image.platform.as_deref())),
        (None, None) => String::new(),
    }
}

/// Has an image there.
pub async fn prepare(
    engine: &Engine,
    image: &Image,
    (workspace, shell): (&str, &HashMap<String, String>),
    freshness: Freshness,
    words: &mut Words,
) -> Result<(), String> {
    let name = reference(image, workspace);
    if let Some(wanted) = &image.build {
        let is_old = freshness == Freshness::New || image.pull == Pull::Build;
        return build::build(engine, wanted, &build::Job { name: &name, image, shell, is_old }, words).await;
    }
    let waits = waits(&engine.place);
    let is_there = match told(engine.docker.inspect_image(&name), words.line(&waits)).await {
        Ok(_) => true,
        Err(error) if status(&error) == Some(404) => false,
        Err(error) => return Err(said(&error)),
    };
    match (image.pull, freshness) {
        (Pull::Never, _) if is_there => Ok(()),
        (Pull::Never, _) => Err(format!("the image {name} is not there, and `pull_policy: never` has it not fetched")),
        (Pull::Missing | Pull::Build, Freshness::Usual) if is_there => Ok(()),
        _ => match pull(engine, &name, image.platform.as_deref(), words).await {
            // What is there serves as well where no registry can be asked.
            Err(reason) if is_there && image.pull != Pull::Always => {
                words.line(&format!("{reason}; the image that is there is used")).await;
                Ok(())
            }
            other => other,
        },
    }
}

/// Fetches an image, whether it is there or not.
pub async fn pull(engine: &Engine, name: &str, platform: Option<&str>, words: &mut Words) -> Result<(), String> {
    words.line(&format!("pulling {name}")).await;
    let (from_image, tag) = split(name);
    let options = CreateImageOptions {
        from_image: Some(from_image.to_owned()),
        tag: Some(tag.to_owned()),
        platform: platform.unwrap_or_default().to_owned(),
        ..CreateImageOptions::default()
    };
    let asked = format!("waiting for the helper that Docker's configuration names for the registry of {name}");
    let credentials = told(credentials::of_image(name), words.line(&asked)).await?;
    let docker = engine.patient();
    let mut news = docker.create_image(Some(options), None, credentials);
    let (mut layers, mut told) = (Layers::default(), Instant::now());
    while let Some(one) = news.next().await {
        let one = one.map_err(|error| format!("the image {name} cannot be fetched: {}", said(&error)))?;
        layers.take(&one);
        if told.elapsed() >= PAUSE
            && let Some(line) = layers.line()
        {
            words.line(&line).await;
            told = Instant::now();
        }
    }
    words.line(&format!("pulled {name}")).await;
    Ok(())
}

/// A name without its tag, and that; a digest is as good as one.
pub fn split(name: &str) -> (&str, &str) {
    if let Some((name, digest)) = name.split_once('@') {
        return (name, digest);
    }
    match name.rsplit_once(':') {
        // Of `localhost:5000/x` the number is a port.
        Some((before, tag)) if !tag.contains('/') => (before, tag),
        _ => (name, "latest"),
    }
}

/// How far the layers of an image are.
#[derive(Debug, Default)]
struct Layers(HashMap<String, (i64, i64)>);

impl Layers {
    fn take(&mut self, news: &CreateImageInfo) {
        let Some(id) = &news.id else { return };
        let detail = news.progress_detail.as_ref();
        let (current, total) = (detail.and_then(|it| it.current), detail.and_then(|it| it.total));
        match (news.status.as_deref(), current, total) {
            (Some("Downloading"), Some(current), Some(total)) => {
                self.0.insert(id.clone(), (current, total));
            }
            (Some("Download complete" | "Pull complete"), ..) => {
                if let Some((current, total)) = self.0.get_mut(id) {
                    *current = *total;
                }
            }
            _ => {}
        }
    }

    fn line(&self) -> Option<String> {
        let (done, all) = self.0.values().fold((0, 0), |(done, all), (current, total)| (done + current, all + total));
        let tenths = |bytes: i64| format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
        (all > 0).then(|| format!("{} of {} in {} layers", tenths(done), tenths(all), self.0.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_have_tags_or_digests() {
        assert_eq!(split("postgres"), ("postgres", "latest"));
        assert_eq!(split("postgres:16"), ("postgres", "16"));
        assert_eq!(split("localhost:5000/shop/web"), ("localhost:5000/shop/web", "latest"));
        assert_eq!(split("localhost:5000/shop/web:2"), ("localhost:5000/shop/web", "2"));
        assert_eq!(split("web@sha256:00ff"), ("web", "sha256:00ff"));
    }

    #[test]
    fn a_pull_tells_how_far_it_is() {
        use bollard::models::ProgressDetail;
        let mut layers = Layers::default();
        assert_eq!(layers.line(), None);
        let news = |id: &str, status: &str, progress: Option<(i64, i64)>| CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: progress
                .map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) }),
            ..CreateImageInfo::default()
        };
        layers.take(&news("a", "Downloading", Some((1_200_000, 2_000_000))));
        layers.take(&news("b", "Downloading", Some((0, 8_500_000))));
        assert_eq!(layers.line().as_deref(), Some("1.2 MB of 10.5 MB in 2 layers"));
        layers.take(&news("a", "Pull complete", None));
        assert_eq!(layers.line().as_deref(), Some("2.0 MB of 10.5 MB in 2 layers"));
    }
}
