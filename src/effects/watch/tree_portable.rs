//! Where the kernel has no inotify(7) nothing is watched, and that is said.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd};

use super::burst::Bursts;
use super::rule::Rule;

/// There is none.
#[derive(Debug)]
pub struct Tree(Infallible);

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}

impl Tree {
    /// Says why not.
    pub fn new() -> Result<Self, String> {
        Err("no file is watched: this version of nagaya does that on Linux only".to_owned())
    }

    /// Never called.
    pub fn set(&mut self, _: Vec<Rule>) {}

    /// Never called.
    pub fn take_troubles(&mut self) -> Vec<String> {
        match self.0 {}
    }

    /// Never called.
    pub fn read(&mut self, _: &mut Bursts) {}
}
