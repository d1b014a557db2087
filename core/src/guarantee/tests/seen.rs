//! What runs of the state machine show of guarantees: who had approved what when a step started, and whose data it was
//! given. Each piece of data is a word that nobody else says, so that it is known wherever it comes.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde_json::Value;

use crate::definition::step::StepType;

/// Everybody who may approve something.
pub(super) const PEOPLE: [&str; 2] = ["ann", "bob"];
/// Those whose approval guarantees ask for: one of each group.
const GROUPS: [&[&str]; 3] = [&["ann"], &["bob"], &["ann", "bob"]];
/// What the trigger brings.
pub(super) const TITLE: &str = "FROM-THE-TRIGGER";
/// Around what names the execution and the step that gave something.
const MARK: [&str; 2] = ["GIVEN-BY-", "-TO-ALL"];

/// What a step of an execution gives, beside what it was given.
pub(super) fn mark(execution: usize, step: &str) -> String {
    format!("{}{execution}-{step}{}", MARK[0], MARK[1])
}

/// The executions and steps whose data a text holds.
pub(super) fn marks(text: &str) -> BTreeSet<(usize, &str)> {
    let parts = text.split(MARK[0]).skip(1).filter_map(|rest| rest.split_once(MARK[1])?.0.split_once('-'));
    parts.map(|(execution, step)| (execution.parse().unwrap(), step)).collect()
}

/// The lists around a step of a random process, by the way that their ids are made.
pub(super) fn around(step: &str) -> impl Iterator<Item = &str> {
    let own = step.strip_prefix('u').unwrap_or(step);
    own.match_indices('x').map(|(end, _)| &own[..end])
}

/// What people have said in one run.
#[derive(Debug, Default)]
pub(super) struct Heard {
    approved: BTreeSet<&'static str>,
    /// The data that was shown to those who approved.
    shown: BTreeSet<(&'static str, String)>,
}

impl Heard {
    /// An approval with this output was given, and had shown this text.
    pub(super) fn approval(&mut self, output: &Value, text: &str) {
        if output["decision"] != "approved" {
            return;
        }
        for word in output["decisions"].as_array().into_iter().flatten().filter(|word| word["decision"] == "approve") {
            let person = PEOPLE.into_iter().find(|person| word["person"] == *person).unwrap();
            self.approved.insert(person);
            let title = text.contains(TITLE).then(|| TITLE.to_owned());
            let data = marks(text).into_iter().map(|(execution, step)| mark(execution, step)).chain(title);
            self.shown.extend(data.map(|data| (person, data)));
        }
    }

    fn has_approved(&self, group: &[&str]) -> bool {
        group.iter().any(|person| self.approved.contains(person))
    }

    fn has_reviewed(&self, group: &[&'static str], data: &str) -> bool {
        group.iter().any(|person| self.shown.contains(&(*person, data.to_owned())))
    }
}

/// What was seen of runs.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The longest that a whole execution took, in milliseconds.
    pub(super) longest: i64,
    pub(super) dearest: Decimal,
    /// What happened that happens rarely.
    pub(super) moments: BTreeSet<&'static str>,
    /// What the steps of each process were seen to break: guarantees that do not hold.
    of_steps: BTreeSet<(String, String)>,
}

impl Seen {
    /// A step of a process started, when people had said this. `told` is what it was given: from whom, and which data.
    pub(super) fn started(
        &mut self,
        (process, step, step_type): (&str, &str, StepType),
        told: &[(String, String)],
        heard: &Heard,
    ) {
        let mut broken = |whose: &str, guarantee: String| self.of_steps.extend([(whose.to_owned(), guarantee)]);
        for group in GROUPS.iter().filter(|group| !heard.has_approved(group)) {
            let passes = format!("passes: {{approval: {{users: [{}]}}}}", group.join(", "));
            broken("story", format!("{{every_path_to: {step_type}, {passes}}}"));
            // What has approved in a caller is not seen from inside.
            if process == "story" {
                broken(process, format!("{{every_path_to: {step}, {passes}}}"));
            }
        }
        for (from, data) in told {
            broken(process, format!("{{no_data_from: {from}, to: [{step}]}}"));
            for group in GROUPS.iter().filter(|group| !heard.has_reviewed(group, data)) {
                let unless = format!("unless: {{reviewed_by: {{users: [{}]}}}}", group.join(", "));
                broken(process, format!("{{no_data_from: {from}, to: [{step}], {unless}}}"));
            }
        }
    }

    /// What was seen to be broken, as guarantees of `story` and of `child`: none of them may hold.
    pub(super) fn broken(&self) -> [Vec<String>; 2] {
        let of = |process: &str| {
            let own = self.of_steps.iter().filter(|(whose, _)| whose == process);
            own.map(|(_, guarantee)| guarantee.clone()).collect::<Vec<_>>()
        };
        let [mut of_story, of_child] = [of("story"), of("child")];
        if self.longest > 0 {
            of_story.push(format!("{{ends_within: {}ms}}", self.longest - 1));
        }
        if !self.dearest.is_zero() {
            of_story.push(format!("{{at_most: {} USD}}", self.dearest - Decimal::new(1, 2)));
        }
        [of_story, of_child]
    }
}
