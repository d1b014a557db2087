//! Which programs tools may start. A definition comes from git, and whoever can merge one must not be able to run programs on
//! the operator's machine: none may be started but those that the operator names.

use flowctl_core::execution::StepError;

use crate::tools::refused;

/// The commands that tools may start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Commands {
    /// None.
    #[default]
    None,
    /// Those that fit one of these: word by word, and a last `*` stands for any further words.
    Listed(Vec<Vec<String>>),
    /// Every one: for a person who runs their own definitions on their own machine.
    Any,
}

impl Commands {
    /// Reads a list: commands separated by commas, words by spaces.
    pub fn read(text: &str) -> Self {
        let commands: Vec<Vec<String>> = text
            .split(',')
            .map(|command| command.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .filter(|command| !command.is_empty())
            .collect();
        if commands.is_empty() { Self::None } else { Self::Listed(commands) }
    }

    /// Whether a tool may start this command.
    ///
    /// # Errors
    /// Where it may not, with what the operator would set.
    pub(super) fn check(&self, tool: &str, command: &[String]) -> Result<(), StepError> {
        let allowed = match self {
            Self::None => false,
            Self::Any => true,
            Self::Listed(listed) => listed.iter().any(|allowed| fits(allowed, command)),
        };
        if allowed && !command.is_empty() {
            return Ok(());
        }
        let command = command.join(" ");
        Err(refused(format!(
            "the tool `{tool}` would start `{command}`, which the operator does not allow; FLOWCTL_MCP_COMMANDS lists what \
             tools may start, and `flowctl run` has --allow-commands"
        )))
    }
}

fn fits(allowed: &[String], command: &[String]) -> bool {
    match allowed.split_last() {
        Some((last, first)) if last == "*" && !first.is_empty() => command.starts_with(first),
        _ => allowed == command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_operator_names_is_started() {
        let listed = Commands::read("npx -y server-a *, /usr/bin/tracker ,, *");
        for (command, allowed) in [
            ("npx -y server-a", true),
            ("npx -y server-a /data /more", true),
            ("npx -y server-b", false),
            ("npx", false),
            ("/usr/bin/tracker", true),
            ("/usr/bin/tracker --write", false),
            ("tracker", false),
            ("sh -c id", false),
        ] {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            assert_eq!(listed.check("t", &words).is_ok(), allowed, "{command}");
            assert!(Commands::None.check("t", &words).is_err());
            assert!(Commands::Any.check("t", &words).is_ok());
        }
        assert_eq!(Commands::read(" , "), Commands::None);
    }
}
