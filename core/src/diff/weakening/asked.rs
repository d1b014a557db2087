//! What people are asked on the way through each process of a commit: whoever waits for it passes that.

use std::collections::{BTreeMap, BTreeSet};

use super::{Commit, approval, path};
use crate::approval::Requirement;
use crate::definition::step::StepKind;
use crate::definition::{Process, Step};

/// What the processes of a commit ask by their names. Each is looked at once, after those that it waits for; one that waits
/// for itself never ends, and asks nothing.
pub(super) struct Asked<'c, 'r> {
    commit: &'c Commit<'r>,
    inside: BTreeMap<&'r str, Requirement>,
    /// What is asked beyond that and is not compared.
    beyond: BTreeMap<&'r str, Vec<Requirement>>,
}

impl<'c, 'r> Asked<'c, 'r> {
    pub(super) fn of(commit: &'c Commit<'r>) -> Self {
        let mut processes: BTreeMap<&'r str, &'r Process> = BTreeMap::new();
        for (_, process) in commit.repository.processes() {
            processes.entry(process.header.name.as_str()).or_insert(process);
        }
        let called: BTreeSet<&str> =
            processes.values().flat_map(|process| process.all_steps()).filter_map(waited_for).collect();
        let mut asked = Self { commit, inside: BTreeMap::new(), beyond: BTreeMap::new() };
        for (name, process) in callees_first(&processes) {
            let (inside, beyond) = path::to_the_end(process, &|step| asked.by(name, step));
            if !beyond.is_empty() && called.contains(name) {
                asked.beyond.insert(name, beyond);
            }
            if !inside.asks_nothing() {
                asked.inside.insert(name, inside);
            }
        }
        asked
    }

    /// What a process asks beyond what is compared where another one waits for it.
    pub(super) fn beyond(&self, process: &str) -> &[Requirement] {
        self.beyond.get(process).map_or(&[], Vec::as_slice)
    }

    /// What a step of a process asks people, by itself or by the process that it waits for.
    pub(super) fn by(&self, process: &str, step: &Step) -> Option<Requirement> {
        match &step.kind {
            StepKind::HumanApproval(approval) => Some(approval::requirement(self.commit, process, approval)),
            _ => self.inside.get(waited_for(step)?).cloned(),
        }
    }
}

/// The process that a step waits for.
fn waited_for(step: &Step) -> Option<&str> {
    match &step.kind {
        StepKind::Process(call) if call.wait => Some(call.process.as_str()),
        _ => None,
    }
}

/// Processes in an order in which each comes after those that it waits for; without those that wait for themselves, and
/// those that wait for such a one.
fn callees_first<'r>(processes: &BTreeMap<&'r str, &'r Process>) -> Vec<(&'r str, &'r Process)> {
    let mut callers: BTreeMap<&str, Vec<&'r str>> = BTreeMap::new();
    let mut open: Vec<&'r str> = Vec::new();
    let mut calls_left: BTreeMap<&'r str, usize> = BTreeMap::new();
    for (name, process) in processes {
        let called: Vec<&str> =
            process.steps.iter().filter_map(waited_for).filter(|called| processes.contains_key(called)).collect();
        if called.is_empty() {
            open.push(name);
        }
        calls_left.insert(name, called.len());
        called.into_iter().for_each(|called| callers.entry(called).or_default().push(name));
    }
    let mut ordered = Vec::new();
    while let Some(name) = open.pop() {
        ordered.extend(processes.get_key_value(name).map(|(name, process)| (*name, *process)));
        for caller in callers.get(name).into_iter().flatten() {
            let left = calls_left.entry(caller).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                open.push(caller);
            }
        }
    }
    ordered
}
