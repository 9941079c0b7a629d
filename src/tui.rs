//! The dashboard: what it shows and what keys do, without a terminal in it.
//!
//! [`App`] takes messages and returns what is to be asked of the engine; `draw` paints it into any buffer. The loop
//! that reads a real terminal and a real engine is `cli::ui`. So every frame can be tested, and drawn as a picture.

mod app;
mod draw;
mod keys;
mod logs;
mod svg;
mod text;
mod theme;

pub use app::{App, Ask, Msg, Workspace};
pub use draw::draw;
pub use svg::svg;
pub use theme::Theme;
