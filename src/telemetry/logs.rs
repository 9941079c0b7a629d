//! The log store: plain text segments on disk, one writer (the engine), any number of readers.
//!
//! A reader is any process of the same user: `logs -f` and the dashboard read the files themselves and are only told
//! that there is more. So a follower costs the engine nothing a line, a slow one delays nobody, and what was written
//! is there after a crash. A segment is text: `less` reads it too.

mod collect;
mod line;
mod plain;
mod reader;
mod segment;
mod writer;

pub use collect::{Collector, Matched, Origin, Source};
pub use line::{Line, Stream};
pub use plain::Plain;
pub use reader::{Reader, Start, last_lines, last_lines_of};
pub use writer::Ends;
