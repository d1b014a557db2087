//! Questions to the person at the terminal. Ctrl-C at one ends the program as interrupted, with the cursor shown again.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Select};

use crate::exit::Exit;

/// Whether one is open.
static OPEN: AtomicBool = AtomicBool::new(false);
/// How long a question has to end by itself after Ctrl-C.
const GRACE: Duration = Duration::from_millis(300);

/// Ends the program after Ctrl-C where a question does not: it came before the question read, which then waits on. `tell` says
/// what there is to say.
///
/// # Errors
/// Where nobody can listen for Ctrl-C.
pub fn end_when_interrupted(tell: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A thread of its own: a question holds up the one that asks.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listen = async {
        tokio::signal::ctrl_c().await?;
        tokio::time::sleep(GRACE).await;
        io::Result::Ok(())
    };
    std::thread::Builder::new().name("ctrl-c".to_owned()).spawn(move || {
        if runtime.block_on(listen).is_ok() && OPEN.load(Ordering::SeqCst) {
            let _ = Term::stderr().show_cursor();
            tell();
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    })?;
    Ok(())
}

/// One of several words; none with Escape.
pub fn choose(prompt: &str, words: &[&str], first: usize) -> anyhow::Result<Option<usize>> {
    asked(|| Select::new().with_prompt(prompt).items(words).default(first).interact_opt())
}

/// Yes or no; Escape is no.
pub fn confirm(prompt: &str) -> anyhow::Result<bool> {
    Ok(asked(|| Confirm::new().with_prompt(prompt).default(true).interact_opt())?.unwrap_or(false))
}

/// A line, which may be empty. It is asked for again as long as there is a fault.
pub fn line(prompt: &str, initial: &str, fault: impl Fn(&str) -> Option<String>) -> anyhow::Result<String> {
    let input = Input::new().with_prompt(prompt).with_initial_text(initial).allow_empty(true);
    asked(|| input.validate_with(|text: &String| fault(text).map_or(Ok(()), Err)).interact_text())
}

fn asked<T>(ask: impl FnOnce() -> dialoguer::Result<T>) -> anyhow::Result<T> {
    OPEN.store(true, Ordering::SeqCst);
    let answer = ask();
    OPEN.store(false, Ordering::SeqCst);
    answer.map_err(|dialoguer::Error::IO(error)| {
        // Questions hide it, and leave it hidden where they are not answered. A terminal that is gone shows none.
        let _ = Term::stderr().show_cursor();
        io::Error::new(error.kind(), format!("the terminal cannot be read: {error}")).into()
    })
}
