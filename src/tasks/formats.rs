//! Other people's formats, read with positions: documents become [`Node`]s, programs become tokens.

pub mod code;
pub mod ini;
pub mod json;
pub mod language;
mod lexer;
mod lines;
pub mod lisp;
pub mod markdown;
mod node;
pub mod shell;
pub mod toml;
pub mod xml;
pub mod yaml;

pub use lines::Lines;
pub use node::{Key, Node, Value};
