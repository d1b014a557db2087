//! Types: what is known about the values of a process before anything runs, and whether its expressions fit them. Where
//! types come from, what each text can read, and the check itself. Tells no finding: rules do.

mod at;
mod by_hand;
mod carried;
mod check;
mod guarded;
mod kind;
mod mistake;
mod output;
mod payload;
mod process;
mod prompt;
mod schema;
pub(crate) mod text;
mod trigger;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::definition::repository::{Definition, File, FileKind, Repository, below_flow, stem};
use crate::definition::{Process, StepKind};

pub use at::{FieldAt, TypeAt};
pub use by_hand::reads_pull_request;
pub use check::Read;
pub use kind::{Kinds, List, Others, Part, Record, Type};
pub use mistake::{Mistake, MistakeKind, listed};
pub use process::ProcessTypes;
pub use prompt::PromptTypes;

/// Deepest nesting of sub-processes: LANGUAGE gives 16.
const MAX_NESTED: usize = 16;

/// The types of a repository's processes and prompts, inferred when they are first asked for.
#[derive(Debug)]
pub struct Types<'r> {
    processes: Vec<ProcessTypes<'r>>,
    by_path: BTreeMap<&'r str, usize>,
    /// The first by path where two share a name.
    by_name: BTreeMap<&'r str, usize>,
    prompts: BTreeMap<&'r str, PromptTypes<'r>>,
    prompts_by_name: BTreeMap<&'r str, &'r str>,
    /// By the path below `.flow/schemas/`.
    schemas: BTreeMap<&'r str, Schema<'r>>,
    /// How many levels of sub-processes are below each process; nothing where there are too many or a circle.
    levels: OnceLock<Vec<Option<usize>>>,
}

#[derive(Debug)]
struct Schema<'r> {
    written: &'r serde_json::Value,
    of: OnceLock<Type>,
}

impl<'r> Types<'r> {
    /// The types of a repository. Costs next to nothing until something is asked.
    pub fn of(repository: &'r Repository) -> Self {
        let mut types = Self {
            processes: Vec::new(),
            by_path: BTreeMap::new(),
            by_name: BTreeMap::new(),
            prompts: BTreeMap::new(),
            prompts_by_name: BTreeMap::new(),
            schemas: BTreeMap::new(),
            levels: OnceLock::new(),
        };
        for (path, file) in &repository.files {
            types.add(path, file);
        }
        types
    }

    fn add(&mut self, path: &'r str, file: &'r File) {
        match &file.definition {
            Some(Definition::Process(process)) => {
                let place = self.processes.len();
                self.by_path.insert(path, place);
                self.by_name.entry(process.header.name.as_str()).or_insert(place);
                self.processes.push(ProcessTypes::new(file, process));
            }
            Some(Definition::Prompt(prompt)) => {
                self.prompts_by_name.entry(stem(path)).or_insert(path);
                self.prompts.insert(path, PromptTypes::new(file, prompt));
            }
            Some(Definition::Schema(written)) if file.kind == FileKind::Schema => {
                let name = below_flow(path).and_then(|inside| inside.strip_prefix("schemas/")).unwrap_or(path);
                self.schemas.insert(name, Schema { written, of: OnceLock::new() });
            }
            _ => {}
        }
    }

    /// The types of the process in this file.
    pub fn process(&self, path: &str) -> Option<&ProcessTypes<'r>> {
        self.processes.get(*self.by_path.get(path)?)
    }

    /// The types of the process with this name.
    pub fn process_named(&self, name: &str) -> Option<&ProcessTypes<'r>> {
        self.processes.get(*self.by_name.get(name)?)
    }

    /// The types of the prompt in this file.
    pub fn prompt(&self, path: &str) -> Option<&PromptTypes<'r>> {
        self.prompts.get(path)
    }

    /// The types of the prompt with this name.
    pub fn prompt_named(&self, name: &str) -> Option<&PromptTypes<'r>> {
        self.prompts.get(*self.prompts_by_name.get(name)?)
    }

    /// The prompts, by path.
    pub fn prompts(&self) -> impl Iterator<Item = &PromptTypes<'r>> {
        self.prompts.values()
    }

    /// The values of a schema below `.flow/schemas/`.
    pub(crate) fn schema(&self, path: &str) -> Type {
        let Some(schema) = self.schemas.get(path) else { return Type::Unknown };
        schema.of.get_or_init(|| Type::of_schema(schema.written)).clone()
    }

    /// What the process with this name gives; unknown where it contains itself.
    fn outputs(&self, name: &str) -> Type {
        let Some(place) = self.by_name.get(name) else { return Type::Unknown };
        let levels = self.levels.get_or_init(|| self.levels());
        match levels.get(*place) {
            Some(Some(_)) => self.processes[*place].outputs(self).clone(),
            _ => Type::Unknown,
        }
    }

    /// Levels of nesting, from the processes without sub-processes upwards. At most [`MAX_NESTED`] rounds.
    fn levels(&self) -> Vec<Option<usize>> {
        let called = |process: &Process| -> Vec<usize> {
            let called = process.all_steps().filter_map(|step| match &step.kind {
                StepKind::Process(call) => self.by_name.get(call.process.as_str()).copied(),
                _ => None,
            });
            called.collect()
        };
        let calls: Vec<Vec<usize>> = self.processes.iter().map(|process| called(process.process)).collect();
        let mut levels = vec![None; calls.len()];
        for level in 0..=MAX_NESTED {
            let known = levels.clone();
            let ready =
                |place: &usize| known[*place].is_none() && calls[*place].iter().all(|child| known[*child].is_some());
            (0..calls.len()).filter(ready).for_each(|place| levels[place] = Some(level));
        }
        levels
    }
}
