//! The readers: a file for each runner, or for several that write their tasks in the same way, with their rows of the
//! table of runners.

pub mod cargo;
pub mod ci;
pub mod clojure;
pub mod compose;
pub mod composer;
pub mod containers;
pub mod deno;
pub mod dotnet;
pub mod editors;
pub mod elixir;
pub mod github;
pub mod go_task;
pub mod gradle;
pub mod hooks;
pub mod javascript;
pub mod just;
pub mod jvm;
pub mod mage;
pub mod make;
mod make_expand;
pub mod markdown;
pub mod mise;
pub mod monorepo;
pub mod moon;
pub mod native;
pub mod npm;
pub mod nx;
mod packages;
pub mod pyproject;
pub mod python;
pub mod rake;
pub mod rare;
pub mod ruby;
pub mod scripts;
pub mod services;
pub mod tox;
