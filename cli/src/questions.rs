//! Questions to the person at the terminal. Ctrl-C at one ends the program as interrupted, with the cursor shown again.

use std::io;

use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Select};

/// One of several words; none with Escape.
pub fn choose(prompt: &str, words: &[&str], first: usize) -> anyhow::Result<Option<usize>> {
    answered(Select::new().with_prompt(prompt).items(words).default(first).interact_opt())
}

/// Yes or no; Escape is no.
pub fn confirm(prompt: &str) -> anyhow::Result<bool> {
    Ok(answered(Confirm::new().with_prompt(prompt).default(true).interact_opt())?.unwrap_or(false))
}

/// A line, which may be empty. It is asked for again as long as there is a fault.
pub fn line(prompt: &str, initial: &str, fault: impl Fn(&str) -> Option<String>) -> anyhow::Result<String> {
    let input = Input::new().with_prompt(prompt).with_initial_text(initial).allow_empty(true);
    answered(input.validate_with(|text: &String| fault(text).map_or(Ok(()), Err)).interact_text())
}

fn answered<T>(answer: dialoguer::Result<T>) -> anyhow::Result<T> {
    answer.map_err(|dialoguer::Error::IO(error)| {
        // Questions hide it, and leave it hidden where they are not answered. A terminal that is gone shows none.
        let _ = Term::stderr().show_cursor();
        io::Error::new(error.kind(), format!("the terminal cannot be read: {error}")).into()
    })
}
