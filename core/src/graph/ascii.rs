//! A process as a picture of text: time runs downwards, every step is a line, lines between them are edges.
//! Widths are counted in characters; nothing here knows a terminal.

use super::words::{bare, short};
use super::{Graph, Marks, StepIndex};
use crate::definition::step::{Join, RunOn, StepKind};
use crate::definition::{Process, Step};

/// Longest condition that is shown, in characters.
const SHOWN: usize = 72;

/// The picture, each line ending with a line break.
pub fn ascii(process: &Process) -> String {
    ascii_marked(process, &Marks::none())
}

/// The same with steps marked that have findings.
pub fn ascii_marked(process: &Process, marks: &Marks) -> String {
    let graph = Graph::of(process);
    let mut places = vec![None; graph.len()];
    for (place, step) in graph.order().iter().enumerate() {
        places[*step] = Some(place);
    }
    let mut picture = Picture { graph, marks, places, lanes: Vec::new(), lines: Vec::new() };
    for index in picture.graph.order().to_vec() {
        picture.step(index);
    }
    picture.left_over();
    let mut text = String::new();
    for line in picture.lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

struct Picture<'process> {
    graph: Graph<'process>,
    marks: &'process Marks,
    /// Each step's place in the order; none for steps on a circle.
    places: Vec<Option<usize>>,
    /// Columns from the left: the step that the line in it leads to.
    lanes: Vec<Option<StepIndex>>,
    lines: Vec<String>,
}

impl Picture<'_> {
    fn step(&mut self, index: StepIndex) {
        let own: Vec<usize> = self.lanes_to(index);
        let lane = match own.first() {
            Some(first) => *first,
            None => self.free_lane(0),
        };
        if own.len() > 1 {
            self.connect(lane, &own[1..], '╯');
            own[1..].iter().for_each(|merged| self.lanes[*merged] = None);
        }
        self.lanes[lane] = Some(index);
        self.trim();
        let step = self.graph.step(index);
        self.row(|at, lane_of| if at == lane { '●' } else { rail(lane_of) }, &headline(step, self.marks));
        let targets = self.targets(index);
        let below = !targets.is_empty();
        let notes = self.notes(step);
        for note in &notes {
            self.row(|at, lane_of| if at == lane && !below { ' ' } else { rail(lane_of) }, &format!("  {note}"));
        }
        self.lanes[lane] = targets.first().copied();
        let mut opened = Vec::new();
        for target in targets.iter().skip(1) {
            let free = self.free_lane(lane + 1);
            self.lanes[free] = Some(*target);
            opened.push(free);
        }
        if !opened.is_empty() {
            self.connect(lane, &opened, '╮');
        }
        self.trim();
    }

    /// The steps after this one, as they will be drawn.
    fn targets(&self, index: StepIndex) -> Vec<StepIndex> {
        let after = self.graph.after(index).iter();
        let mut targets: Vec<(usize, StepIndex)> =
            after.filter_map(|next| self.places[*next].map(|place| (place, *next))).collect();
        targets.sort_unstable();
        targets.into_iter().map(|(_, step)| step).collect()
    }

    fn lanes_to(&self, index: StepIndex) -> Vec<usize> {
        let leads_here = |lane: &Option<StepIndex>| *lane == Some(index);
        self.lanes.iter().enumerate().filter(|(_, lane)| leads_here(lane)).map(|(at, _)| at).collect()
    }

    fn free_lane(&mut self, from: usize) -> usize {
        if let Some(free) = (from..self.lanes.len()).find(|at| self.lanes[*at].is_none()) {
            return free;
        }
        self.lanes.push(None);
        self.lanes.len() - 1
    }

    fn trim(&mut self) {
        while self.lanes.last() == Some(&None) {
            self.lanes.pop();
        }
    }

    /// A row that joins `lane` with others to its right.
    fn connect(&mut self, lane: usize, others: &[usize], end: char) {
        let last = others.iter().copied().max().unwrap_or(lane);
        let lanes = self.lanes.clone();
        let mut line = String::new();
        for (at, leads) in lanes.iter().enumerate() {
            let inside = lane < at && at < last;
            let middle = if end == '╮' { '┬' } else { '┴' };
            line.push(match at {
                _ if at == lane => '├',
                _ if at == last => end,
                _ if others.contains(&at) => middle,
                _ if inside && leads.is_some() => '┼',
                _ if inside => '─',
                _ => rail(*leads),
            });
            line.push(if lane <= at && at < last { '─' } else { ' ' });
        }
        self.lines.push(line);
    }

    fn row(&mut self, draw: impl Fn(usize, Option<StepIndex>) -> char, text: &str) {
        let mut line = String::new();
        for (at, lane) in self.lanes.iter().enumerate() {
            line.push(draw(at, *lane));
            line.push(' ');
        }
        line.push_str(text);
        self.lines.push(line);
    }

    /// What is said below a step.
    fn notes(&self, step: &Step) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(when) = &step.when {
            let text = when.as_str().map_or_else(|| when.value.to_string(), bare);
            notes.push(format!("when {}", short(&text, SHOWN)));
        }
        match &step.kind {
            StepKind::Gateway(gateway) => {
                for branch in &gateway.branches {
                    let to: Vec<&str> = branch.to.iter().map(|id| id.as_str()).collect();
                    let words = match &branch.when {
                        Some(when) => when.as_str().map_or_else(|| when.value.to_string(), bare),
                        None => "otherwise".to_owned(),
                    };
                    notes.push(format!("{} → {}", short(&words, SHOWN), to.join(", ")));
                }
            }
            StepKind::Foreach(foreach) => {
                let marked = |step: &Step| match self.marks.at(step) {
                    Some(mark) => format!("{} {} {}", step.id.as_str(), mark.sign(), mark.words()),
                    None => step.id.as_str().to_owned(),
                };
                let body: Vec<String> = foreach.steps.iter().map(marked).collect();
                notes.push(format!("for each item: {}", body.join(", ")));
            }
            _ => {}
        }
        if let Some(undo) = &step.compensate_with {
            notes.push(format!("undone by {}", undo.as_str()));
        }
        notes
    }

    /// Steps on a circle have no place in the order; they are named so that none is lost.
    fn left_over(&mut self) {
        for index in (0..self.graph.len()).filter(|index| self.places[*index].is_none()) {
            let waits: Vec<&str> =
                self.graph.before(index).iter().map(|edge| self.graph.step(edge.from).id.as_str()).collect();
            let line = format!(
                "↺ {}  waits for {} in a circle",
                headline(self.graph.step(index), self.marks),
                waits.join(", ")
            );
            self.lines.push(line);
        }
    }
}

fn rail(lane: Option<StepIndex>) -> char {
    if lane.is_some() { '│' } else { ' ' }
}

fn headline(step: &Step, marks: &Marks) -> String {
    let mut text = format!("{} ({})", step.id.as_str(), step.step_type());
    match step.run_on {
        RunOn::Success => {}
        RunOn::Failure => text.push_str(" on failure"),
        RunOn::Always => text.push_str(" always"),
        RunOn::Compensation => text.push_str(" to undo"),
    }
    if step.join == Join::Any {
        text.push_str(" after the first");
    }
    if let Some(name) = &step.name {
        text.push_str(": ");
        text.push_str(&short(name, SHOWN));
    }
    if let Some(mark) = marks.at(step) {
        text.push_str(&format!("  {} {}", mark.sign(), mark.words()));
    }
    text
}
