//! The dashboard: what it shows and what keys do, without a terminal in it.
//!
//! [`App`] takes messages and returns what is to be asked of the engine; `draw` paints it into any buffer. The loop
//! that reads a real terminal and a real engine is `cli::ui`. So every frame can be tested, and drawn as a picture.

mod act;
mod age;
mod app;
mod clock;
mod commands;
mod doing;
mod draw;
mod encode;
mod ending;
mod finding;
mod frame;
mod fuzzy;
mod keys;
pub mod layers;
mod lines;
mod logs;
mod mark;
mod message;
mod mouse;
mod network;
mod outcome;
mod output;
mod page;
mod palette;
mod prompt;
mod requests;
mod routes;
mod services;
mod sgr;
mod steady;
mod svg;
mod tasks;
mod terminal;
mod text;
mod theme;
mod topology;
mod typing;
mod why;
mod words;

pub use app::{App, Ask, Msg, Wants, Workspace};
pub use draw::draw;
pub use ending::{Ending, returning};
pub use frame::{frame, text};
pub use keys::Keymap;
pub use outcome::Kept;
pub use page::Page;
pub use palette::{Command, Suggestion, words};
pub use routes::{Shared, Told as RoutesTold};
pub use steady::{is_whole, steady};
pub use svg::svg;
pub use tasks::Task;
pub use terminal::{Seat, Told as TerminalTold};
pub use theme::Theme;
pub use words::{HELP, Words, spoken};
