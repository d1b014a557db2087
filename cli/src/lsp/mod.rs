//! The language server: editors' protocol over standard input and output. It keeps documents and repositories and puts
//! questions to `core::editor`; what is right or wrong, and what may be written, is said there.

mod convert;
mod diagnostics;
mod position;
mod server;
mod transport;
mod workspace;

use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tower_lsp_server::LspService;

use crate::exit::Exit;
use server::Server;
use transport::End;

/// Serves one editor until it says `exit`, closes our input or dies. By the protocol's rule the exit code is 0 only after
/// `shutdown`, else 1.
pub fn serve() -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let was_shut_down = Arc::new(AtomicBool::new(false));
    let input = BufReader::new(std::io::stdin());
    let end = runtime.block_on(async {
        let told = Arc::clone(&was_shut_down);
        let (service, socket) = LspService::new(|client| Server::new(client, told));
        let gone = service.inner().parent_gone();
        tokio::select! {
            end = transport::serve(input, std::io::stdout(), service, socket) => end,
            () = gone => End::Gone,
        }
    });
    // Whatever is still being thought about interests nobody any more.
    runtime.shutdown_background();
    let in_order = was_shut_down.load(Ordering::SeqCst) && end == End::Exit;
    Ok(if in_order { Exit::Done } else { Exit::Findings })
}
