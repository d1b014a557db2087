//! `lsp`: the language server for editors.

use crate::exit::Exit;

/// Serves an editor over standard input and output.
pub fn run() -> anyhow::Result<Exit> {
    crate::lsp::serve()
}
