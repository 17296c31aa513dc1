//! From canvas JSON to a checked design: types, catalogue, validation. Nothing in here knows the kernel.

mod canvas;
mod canvas_reader;
pub mod catalog;
mod diagnostic;
pub(crate) mod nearest;
mod parameters;
pub(crate) mod reader;
mod validate;

pub use canvas::{Block, Canvas, Connection, Port, Position, Viewport};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use validate::{Checked, check};
