//! Goes through steps with those of their bodies. Nearly every rule does so, and most processes have no bodies.

use std::slice;

use super::{Step, StepKind};

/// The steps of a list, each followed by those of its body where it is a `foreach`, depth first.
#[derive(Debug, Clone)]
pub struct AllSteps<'s> {
    rest: slice::Iter<'s, Step>,
    /// What is left of the lists around, from the outermost.
    around: Vec<slice::Iter<'s, Step>>,
}

impl<'s> AllSteps<'s> {
    /// Goes through a list.
    pub fn of(steps: &'s [Step]) -> Self {
        Self { rest: steps.iter(), around: Vec::new() }
    }
}

impl<'s> Iterator for AllSteps<'s> {
    type Item = &'s Step;

    fn next(&mut self) -> Option<&'s Step> {
        loop {
            if let Some(step) = self.rest.next() {
                if let StepKind::Foreach(foreach) = &step.kind {
                    self.around.push(std::mem::replace(&mut self.rest, foreach.steps.iter()));
                }
                return Some(step);
            }
            self.rest = self.around.pop()?;
        }
    }
}
