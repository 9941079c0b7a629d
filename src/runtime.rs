//! The engine's loop: the only writer of the `World`.
//!
//! It receives commands, facts and the passing of time, takes one step for each, carries out what the step asks for
//! and publishes what changed. Everybody else holds a [`Handle`].

mod board;
mod draft;
mod engine;
mod handle;
mod keeper;
mod matrix;
mod mirrors;
mod network;
mod past;
mod publish;
mod rest;
mod scale;
mod tries;
mod wanted;

pub use board::{Board, Changes};
pub use draft::Draft;
pub use engine::Engine;
pub use handle::{
    Ask, Attachment, EndTry, Environment, Flaw, Handle, InPod, Problem, Scale, Scaled, ShiftRequest, Source,
    TryRequest, UpRequest, Upped,
};
pub use keeper::Waiting;
pub use matrix::{Laid, MatrixRequest, Meant, Word, lay};
pub use mirrors::{Mirror, MirrorRequest};
pub use network::{add_clashes, choose};
pub use rest::away;
pub use scale::scaled;
