//! Which guarantees a process has to keep: its own, and those of every policy that governs it.

use std::collections::BTreeMap;

use crate::definition::policy::Policy;
use crate::definition::process::Guarantee;
use crate::definition::repository::{Definition, File, FileKind, Repository, stem};
use crate::definition::step::StepKind;
use crate::definition::step::human_approval::Escalation;
use crate::definition::{Approvers, Process};
use crate::source::Spanned;
use crate::value::any_matches;

/// The policies of a repository by name.
pub struct Policies<'r> {
    by_name: BTreeMap<&'r str, (&'r File, &'r Policy)>,
}

/// A guarantee and where it is written.
#[derive(Debug, Clone, Copy)]
pub struct Stated<'r> {
    /// The guarantee.
    pub guarantee: &'r Spanned<Guarantee>,
    /// The file of the process or the policy.
    pub file: &'r File,
    /// The policy's name, where it is a policy's.
    pub policy: Option<&'r str>,
}

impl<'r> Policies<'r> {
    /// Reads them.
    pub fn of(repository: &'r Repository) -> Self {
        let mut by_name = BTreeMap::new();
        for (path, file) in repository.files.iter().filter(|(_, file)| file.kind == FileKind::Policy) {
            if let Some(Definition::Policy(policy)) = &file.definition {
                by_name.entry(stem(path)).or_insert((&**file, &**policy));
            }
        }
        Self { by_name }
    }

    /// Every guarantee that a process has to keep: its own first, then by policy.
    pub fn stated(&self, file: &'r File, process: &'r Process) -> Vec<Stated<'r>> {
        let own = process.header.guarantees.iter().map(|guarantee| Stated { guarantee, file, policy: None });
        let mut stated: Vec<Stated<'r>> = own.collect();
        for name in self.governing(process) {
            let Some((file, policy)) = self.by_name.get(name) else { continue };
            let guarantees = policy.guarantees.iter();
            stated.extend(guarantees.map(|guarantee| Stated { guarantee, file, policy: Some(name) }));
        }
        stated
    }

    /// The policies that govern a process: those whose `applies_to` takes its name, those that one of its approvals
    /// names, and whatever these extend.
    pub fn governing(&self, process: &Process) -> Vec<&'r str> {
        let name = process.header.name.as_str();
        let applies = |(known, (_, policy)): (&&'r str, &(&'r File, &'r Policy))| {
            any_matches(policy.applies_to.iter().map(|glob| &glob.value), name).then_some(*known)
        };
        let mut governing: Vec<&'r str> = self.by_name.iter().filter_map(applies).collect();
        for step in process.all_steps() {
            let StepKind::HumanApproval(approval) = &step.kind else { continue };
            let named = approval.policy.as_ref().and_then(|name| self.by_name.get_key_value(name.value.as_str()));
            governing.extend(named.map(|(name, _)| *name));
        }
        let mut next = 0;
        let mut seen = std::collections::BTreeSet::new();
        governing.retain(|name| seen.insert(*name));
        while let Some((_, policy)) = governing.get(next).and_then(|name| self.by_name.get(name)) {
            next += 1;
            for extended in &policy.extends {
                if let Some((name, _)) = self.by_name.get_key_value(extended.value.as_str())
                    && seen.insert(*name)
                {
                    governing.push(*name);
                }
            }
        }
        governing
    }

    /// The approvers that a policy demands, those of the policies that it extends included.
    pub fn approvers(&self, name: &str) -> Vec<&'r Approvers> {
        self.chain(name).into_iter().filter_map(|policy| policy.approvers.as_ref().map(|one| &one.value)).collect()
    }

    /// Whom a policy adds when, those whom the policies that it extends add included.
    pub fn escalations(&self, name: &str) -> Vec<&'r Spanned<Escalation>> {
        self.chain(name).into_iter().flat_map(|policy| &policy.escalate).collect()
    }

    /// A policy and all that it extends.
    fn chain(&self, name: &str) -> Vec<&'r Policy> {
        let mut open = vec![name];
        let mut seen = std::collections::BTreeSet::new();
        let mut chain = Vec::new();
        while let Some(name) = open.pop() {
            let Some((name, (_, policy))) = self.by_name.get_key_value(name) else { continue };
            if seen.insert(*name) {
                chain.push(*policy);
                open.extend(policy.extends.iter().map(|extended| extended.value.as_str()));
            }
        }
        chain
    }

    /// Whether there is any guarantee.
    pub fn any_guarantee(&self) -> bool {
        self.by_name.values().any(|(_, policy)| !policy.guarantees.is_empty())
    }
}
