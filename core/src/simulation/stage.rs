//! What cases are played on: processes made ready once, and who may use which command.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::definition::Role;
use crate::definition::repository::Repository;
use crate::definition::step::StepKind;
use crate::execution::{Performable, Plan, PlanError};

/// What cases are played on. Made once for a repository, shared by all its cases.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    plans: BTreeMap<String, Result<Arc<Plan>, PlanError>>,
    commands: BTreeMap<String, Role>,
}

impl Stage {
    /// Makes the named processes ready, and those that they run. Names that no process has are left out.
    pub fn of<'n>(repository: &Repository, processes: impl IntoIterator<Item = &'n str>) -> Self {
        let mut stage = Self::default();
        if let Some(settings) = repository.settings() {
            let commands = settings.commands.iter();
            stage.commands = commands.map(|(verb, command)| (verb.value.clone(), command.role)).collect();
        }
        let mut wanted: Vec<String> = processes.into_iter().map(str::to_owned).collect();
        while let Some(name) = wanted.pop() {
            if stage.plans.contains_key(&name) {
                continue;
            }
            let Some(plan) = repository.plan_for(&name, &Performable::everything()) else { continue };
            if let Ok(plan) = &plan {
                wanted.extend(plan.process.all_steps().filter_map(|step| match &step.kind {
                    StepKind::Process(call) => Some(call.process.as_str().to_owned()),
                    _ => None,
                }));
            }
            stage.plans.insert(name, plan.map(Arc::new));
        }
        stage
    }

    /// A process made ready; nothing where there is none of this name.
    pub fn plan(&self, process: &str) -> Option<&Result<Arc<Plan>, PlanError>> {
        self.plans.get(process)
    }

    /// The permission that `flow.yaml` demands for a command.
    pub(super) fn demands(&self, verb: &str) -> Option<Role> {
        self.commands.get(verb).copied()
    }
}
