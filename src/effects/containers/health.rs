//! The check that an image brings (HEALTHCHECK), carried out here as that of a manifest is: soon and often until it
//! succeeds, and at its own pace from then on.

use std::time::Duration;

use bollard::models::{HealthConfig, ImageInspect};

use super::engine::Engine;
use super::inside::Tries;
use crate::model::{HEALTH_INTERVAL, Rhythm};
use crate::plan::{Planned, Ready};

/// The first tries come so soon, and each so much later than the one before.
const FIRST: Duration = Duration::from_millis(50);
const GROWTH: f64 = 1.5;
/// Docker's own.
const RETRIES: u32 = 3;

/// A check, as an image has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    argv: Vec<String>,
    interval: Duration,
    timeout: Duration,
    retries: u32,
}

impl Check {
    /// The check that counts for a service: the image's, where the manifest says nothing of when it is ready.
    pub async fn of(engine: &Engine, planned: &Planned, image: &str) -> Option<Self> {
        let is_open = matches!(planned.readiness, Ready::Started | Ready::Listening(_)) && planned.startup.is_none();
        let is_off = planned.container().is_none_or(|container| container.settings.no_health_check);
        if !is_open || is_off {
            return None;
        }
        Self::read(engine.docker.inspect_image(image).await.ok()?)
    }

    fn read(image: ImageInspect) -> Option<Self> {
        let config = image.config?;
        let HealthConfig { test, interval, timeout, retries, .. } = config.healthcheck?;
        let test = test?;
        let argv = match test.split_first()? {
            (first, rest) if first == "CMD" && !rest.is_empty() => rest.to_vec(),
            (first, [line]) if first == "CMD-SHELL" => {
                let shell = config.shell.filter(|words| !words.is_empty());
                let shell = shell.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()]);
                shell.into_iter().chain([line.clone()]).collect()
            }
            _ => return None,
        };
        // In billionths of a second; 0 is what Docker takes where nothing is said.
        let time = |written: Option<i64>| {
            let written = written.and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0);
            written.map_or(HEALTH_INTERVAL, Duration::from_nanos)
        };
        let retries = retries.and_then(|it| u32::try_from(it).ok()).filter(|it| *it > 0).unwrap_or(RETRIES);
        Some(Self { argv, interval: time(interval), timeout: time(timeout), retries })
    }

    /// Tries it in a container for as long as this is wanted, and tells what is new: each failure until it succeeds for
    /// the first time, then when it has failed often enough in a row, and when it succeeds again.
    pub async fn follow(self, engine: Engine, container: String, tries: Tries, tell: impl Fn(Result<(), String>)) {
        let mut course = Course::default();
        loop {
            tokio::time::sleep(course.pause(self.interval)).await;
            let tried = tries.probe(&engine, &container, self.argv.clone(), self.timeout).await;
            if let Some(news) = course.take(tried, self.retries) {
                tell(news);
            }
        }
    }
}

/// What has come of the tries so far.
#[derive(Debug, Default)]
struct Course {
    tries: u32,
    failures: u32,
    has_succeeded: bool,
    is_well: bool,
}

impl Course {
    fn take(&mut self, tried: Result<(), String>, retries: u32) -> Option<Result<(), String>> {
        self.tries += 1;
        match tried {
            Ok(()) => {
                let is_news = !self.is_well;
                (self.failures, self.has_succeeded, self.is_well) = (0, true, true);
                is_news.then_some(Ok(()))
            }
            Err(error) => {
                self.failures += 1;
                let is_news = !self.has_succeeded || self.is_well && self.failures >= retries;
                self.is_well &= self.failures < retries;
                is_news.then_some(Err(error))
            }
        }
    }

    fn pause(&self, interval: Duration) -> Duration {
        match (self.has_succeeded, self.failures) {
            (true, 0) => interval,
            (true, _) => interval.min(Rhythm::OF_READINESS.period),
            (false, _) => {
                let longest = interval.min(Rhythm::OF_READINESS.period);
                FIRST.mul_f64(GROWTH.powi(self.tries.min(100).cast_signed())).min(longest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ImageConfig;

    use super::*;

    fn check(test: &[&str], shell: Option<&[&str]>) -> Option<Check> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let healthcheck = HealthConfig {
            test: Some(words(test)),
            interval: Some(5_000_000_000),
            timeout: Some(0),
            retries: Some(0),
            ..HealthConfig::default()
        };
        let config = ImageConfig { healthcheck: Some(healthcheck), shell: shell.map(words), ..ImageConfig::default() };
        Check::read(ImageInspect { config: Some(config), ..ImageInspect::default() })
    }

    #[test]
    fn an_images_check_is_read() {
        let found = check(&["CMD", "pg_isready", "-q"], None).unwrap();
        assert_eq!((found.argv, found.retries), (vec!["pg_isready".to_owned(), "-q".to_owned()], 3));
        assert_eq!((found.interval, found.timeout), (Duration::from_secs(5), Duration::from_secs(30)));
        let argv = |shell| check(&["CMD-SHELL", "a && b"], shell).unwrap().argv.join(" ");
        assert_eq!(argv(None), "/bin/sh -c a && b");
        assert_eq!(argv(Some(&["/bin/bash", "-ec"])), "/bin/bash -ec a && b");
        for none in [&["NONE"][..], &[], &["CMD"], &["CMD-SHELL"]] {
            assert_eq!(check(none, None), None, "{none:?}");
        }
    }

    #[test]
    fn it_is_told_what_is_new() {
        let mut course = Course::default();
        let bad = || Err("no".to_owned());
        let interval = Duration::from_secs(30);
        assert!(course.pause(interval) < Duration::from_millis(100));
        assert_eq!(course.take(bad(), 2), Some(bad()));
        assert_eq!(course.take(bad(), 2), Some(bad()), "whoever waits wants to know why");
        assert!(course.pause(interval) <= Duration::from_secs(2));
        assert_eq!(course.take(Ok(()), 2), Some(Ok(())));
        assert_eq!((course.take(Ok(()), 2), course.pause(interval)), (None, interval));
        assert_eq!(course.take(bad(), 2), None, "once is not often enough");
        assert_eq!(course.take(bad(), 2), Some(bad()));
        assert_eq!(course.take(bad(), 2), None);
        assert_eq!(course.take(Ok(()), 2), Some(Ok(())));
        assert_eq!((course.take(bad(), 2), course.take(Ok(()), 2)), (None, None));
    }
}
