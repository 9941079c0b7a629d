//! A service in a container, ready to be asked for.

use crate::model::{Command, Container, Image, Service, Settings};

use super::edges::Outlook;

/// A container, with every address filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedContainer {
    /// As the manifest has it, for people.
    pub written: String,
    /// What its containers are called, before their numbers where it is not a name of its own.
    pub name: String,
    pub image: Image,
    /// The image's own where there are none.
    pub entrypoint: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    pub settings: Settings,
    /// What it has in volumes outlives it.
    pub stateful: bool,
}

impl PlannedContainer {
    /// The name of the container of an instance; one that the manifest gives is the first instance's as it is.
    pub fn name_of(&self, instance: u32) -> String {
        match &self.settings.name {
            Some(name) if instance == 1 => name.clone(),
            _ => format!("{}-{instance}", self.name),
        }
    }
}

/// The container of a service, as its caller sees addresses.
pub fn contained(service: &Service, container: &Container, outlook: &Outlook<'_>) -> PlannedContainer {
    // What the manifest says was split when it was read; an address that is filled in has no quotes.
    let words = |command: &Command| command.words(|template| template.fill(|it| outlook.fill(it))).unwrap_or_default();
    PlannedContainer {
        written: container.written(),
        name: container
            .settings
            .name
            .clone()
            .unwrap_or_else(|| format!("nagaya-{}-{}", outlook.surroundings.site.id, service.name)),
        image: container.image.clone(),
        entrypoint: container.entrypoint.as_ref().map(words),
        command: container.command.as_ref().map(words),
        settings: container.settings.clone(),
        stateful: service.stateful,
    }
}
