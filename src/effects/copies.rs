//! Copies of files between this machine and services: what is copied travels as an archive (tar(5)), and `landing` says
//! where it arrives.

mod landing;
mod local;
mod rename;

use std::io::{self, PipeReader, PipeWriter};
use std::path::Path;

pub use landing::{Kind, Landing, Naming, Source, land};
pub use local::{look, pack, real, resolve, unpack};
pub use rename::{Copied, rename};

/// Why a copy was broken off.
#[derive(Debug)]
pub enum Failure {
    /// It went wrong here.
    Here(String),
    /// The one before or behind is gone, and knows why.
    Elsewhere,
}

impl Failure {
    /// That something could not be done at a path. A pipe that ends too soon is somebody else's failure.
    pub fn at(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => Self::Elsewhere,
            _ => Self::Here(format!("{}: {error}", path.display())),
        }
    }
}

/// A pipe between two that copy.
pub fn pipe() -> Result<(PipeReader, PipeWriter), Failure> {
    io::pipe().map_err(|error| Failure::Here(format!("no pipe can be made: {error}")))
}
