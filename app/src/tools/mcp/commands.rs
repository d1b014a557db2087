//! Which programs tools may start, and what their definitions may set in the environment of them: with `PATH` or `NODE_OPTIONS`
//! a program does anything. A definition comes from git, and whoever can merge one must not be able to run programs on the
//! operator's machine: none may be started, and nothing may be set, but what the operator names.

use flowctl_core::execution::StepError;

use crate::tools::refused;

/// The commands that tools may start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Commands {
    /// None.
    #[default]
    None,
    /// Those that fit one of these.
    Listed(Vec<Listed>),
    /// Every one: for a person who runs their own definitions on their own machine.
    Any,
}

/// A command that tools may start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// What a definition may set in its environment.
    env: Vec<String>,
    /// Its words; a last `*` stands for any further ones.
    words: Vec<String>,
}

impl Commands {
    /// Reads a list: commands separated by commas, words by spaces. Words like `NAME=` before a command name what a
    /// definition may set in its environment.
    pub fn read(text: &str) -> Self {
        let commands: Vec<Listed> =
            text.split(',').map(Listed::read).filter(|command| !command.words.is_empty()).collect();
        if commands.is_empty() { Self::None } else { Self::Listed(commands) }
    }

    /// Whether a tool may start this command and set these in its environment.
    ///
    /// # Errors
    /// Where it may not, with what the operator would set.
    pub(super) fn check<'e>(
        &self,
        tool: &str,
        command: &[String],
        env: impl Iterator<Item = &'e str>,
    ) -> Result<(), StepError> {
        let listed = match self {
            Self::Any if !command.is_empty() => return Ok(()),
            Self::None | Self::Any => &[],
            Self::Listed(listed) => listed.as_slice(),
        };
        let fitting: Vec<&Listed> = listed.iter().filter(|listed| listed.fits(command)).collect();
        let command = command.join(" ");
        if fitting.is_empty() {
            return Err(refused(format!(
                "the tool `{tool}` would start `{command}`, which the operator does not allow; FLOWCTL_MCP_COMMANDS \
                 lists what tools may start, and `flowctl run` has --allow-commands"
            )));
        }
        let env: Vec<&str> = env.collect();
        let missing =
            |listed: &&Listed| env.iter().find(|name| !listed.env.iter().any(|allowed| allowed == *name)).copied();
        let missing: Option<Vec<&str>> = fitting.iter().map(missing).collect();
        match missing.as_deref() {
            Some([name, ..]) => Err(refused(format!(
                "the tool `{tool}` would set `{name}` for `{command}`, which the operator does not allow; in \
                 FLOWCTL_MCP_COMMANDS `{name}=` before the command does"
            ))),
            // One of the entries allows all of it.
            _ => Ok(()),
        }
    }
}

impl Listed {
    fn read(command: &str) -> Self {
        let mut env = Vec::new();
        let mut words = command.split_whitespace().peekable();
        while let Some(name) = words.next_if(|word| word.ends_with('=') && word.len() > 1) {
            env.extend(name.strip_suffix('=').map(str::to_owned));
        }
        Self { env, words: words.map(str::to_owned).collect() }
    }

    fn fits(&self, command: &[String]) -> bool {
        match self.words.split_last() {
            Some((last, first)) if last == "*" && !first.is_empty() => command.starts_with(first),
            _ => self.words == command,
        }
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
            assert_eq!(listed.check("t", &words, [].into_iter()).is_ok(), allowed, "{command}");
            assert!(Commands::None.check("t", &words, [].into_iter()).is_err());
            assert!(Commands::Any.check("t", &words, ["PATH"].into_iter()).is_ok());
        }
        assert_eq!(Commands::read(" , "), Commands::None);
        assert_eq!(Commands::read("TOKEN="), Commands::None);
    }

    #[test]
    fn only_what_the_operator_names_is_set_in_the_environment() {
        let listed = Commands::read("TOKEN= HOST= npx -y server-a *, npx -y server-a --plain, a=b");
        let set = |command: &str, env: &[&str]| {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            listed.check("t", &words, env.iter().copied())
        };
        assert!(set("npx -y server-a", &["TOKEN"]).is_ok());
        assert!(set("npx -y server-a --plain", &["TOKEN", "HOST"]).is_ok(), "the first entry allows it");
        assert!(set("a=b", &[]).is_ok(), "a word with something behind the sign is a program");
        for name in ["PATH", "NODE_OPTIONS", "LD_PRELOAD", "token", "TOKENS"] {
            let error = set("npx -y server-a --plain", &["TOKEN", name]).unwrap_err();
            assert_eq!(
                error.message,
                format!(
                    "the tool `t` would set `{name}` for `npx -y server-a --plain`, which the operator does not allow; \
                     in FLOWCTL_MCP_COMMANDS `{name}=` before the command does"
                )
            );
        }
    }
}
