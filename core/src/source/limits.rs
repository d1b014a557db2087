//! How much one file may be, with the reason for each number.
//! A hostile file must end in a fault after little work, not in an exhausted machine.

/// Largest file that is parsed, in bytes. GitHub warns about files of 50 MiB and definitions are written by hand:
/// the largest allowed process (1,000 steps with a page of prompt each) stays well below this.
pub const MAXIMUM_BYTES: usize = 8 * 1024 * 1024;

/// Deepest nesting, aliases followed. Decoding and JSON Schema recurse once a level: this keeps them far from the
/// end of a thread's stack, and equals what `serde_json` accepts.
pub const MAXIMUM_DEPTH: u32 = 128;

/// Most nodes (keys count) of one file, and most nodes that its aliases may stand for when they are followed.
/// 1,000 steps of 100 nodes each fit twice; an alias bomb of nine levels stops at its sixth.
pub const MAXIMUM_NODES: u64 = 250_000;

/// Most faults that are collected for one file; more would only hide the first ones.
pub const MAXIMUM_FAULTS: usize = 1_000;

/// How many unquoted templates are repaired for one parse (each costs reading the file again).
pub(crate) const MAXIMUM_REPAIRS: usize = 16;
