//! Text, overlays and includes become a [`Workspace`](crate::model::Workspace) or a list of located problems.
//!
//! The stages, each with a type of its own: text is parsed to `Node`s that know their place (`yaml`), variables are
//! filled in (`interpolate`), overlays laid over (`merge`), the result read loosely (`raw`, by the rules of `read`)
//! and then lowered to the model (`lower`), where references must lead somewhere. No stage stops at the first
//! problem. The rejected way was a serde derive: it stops there, and loses places in short forms.

mod dotenv;
mod edit;
mod interpolate;
mod load;
mod lower;
mod merge;
mod node;
mod problem;
mod raw;
mod read;
mod schema;
mod source;
mod templates;
mod versions;
mod yaml;

pub use edit::{Addition, CannotAdd, add, literal, scalar};
pub use load::{Files, GUEST, Request, Shell, check_text, load};
pub use problem::{Problem, Problems, Severity, did_you_mean};
pub use schema::schema;
pub use source::{Position, Source, Sources, Span};
pub use templates::{BUILT_IN as TEMPLATES, about as template_about, is_name as is_template_name, template_folders};
pub use yaml::print as print_yaml;
