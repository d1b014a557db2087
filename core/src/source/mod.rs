//! From text to spanned nodes: one parse, and every later reader (serde, JSON Schema, rules) looks at the same nodes.
//! Parsing never fails and never panics: it gives what was understood and every fault, each inside the file.
//! Nothing here knows what a process is.

mod arena;
mod decode;
mod fault;
mod file;
mod layout;
mod limits;
mod merge;
mod node;
mod order;
mod parse;
mod pruned;
mod scalar;
mod schema;
mod spanned;
mod syntax;
mod template;
mod view;
mod within;
mod words;

pub use arena::{Comment, Document, NodeId};
pub use decode::{DecodeError, from_node};
pub(crate) use decode::{RESERVED_TEXT, located_error};
pub use fault::{Fault, FaultKind};
pub use file::{Position, Range, SourceFile, Span};
pub use layout::{Laid, LaidContent, LaidId, Layout, layout};
pub use limits::{MAXIMUM_BYTES, MAXIMUM_DEPTH, MAXIMUM_FAULTS, MAXIMUM_NODES};
pub use node::{Kind, Node, Scalar};
pub use parse::{Parsed, parse, parse_shared};
pub use pruned::Pruned;
pub use scalar::{Resolved, ScalarStyle, resolve_plain};
pub use schema::{Schema, SchemaError, SchemaFault, SchemaFaultKind};
pub use spanned::Spanned;
pub use view::{to_json, to_json_without};
pub use within::ScalarMap;
pub use words::closest;
pub(crate) use words::{MAX_KNOWN, MAX_MISSPELT, Misspelt, meant_key, meant_word};

#[cfg(test)]
mod tests;
