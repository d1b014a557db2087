//! Where data comes from, and who could have written it.

use std::fmt;

use crate::definition::step::{AgentTask, StepKind};
use crate::definition::{FieldType, Process, Step, Trigger};

use super::flow::StepNumber;

/// Who could have written a piece of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Anybody who can open a pull request, an issue or a comment, or send an event: free text of the trigger.
    Outsider,
    /// The same people, but in a form that GitHub keeps narrow: logins.
    OutsiderName,
    /// Whoever may start the process by a comment, the API or another process: inputs that take free text.
    Starter,
    /// The same, where the input takes only a number, a day, true or false, or one of some values.
    StarterChoice,
    /// What a model or an agent wrote.
    Model,
    /// What another program answered: calls, tools (those of an agent too), workflows, events that a step waited for.
    Service,
    /// What people answered in forms and decided in approvals.
    People,
    /// A secret.
    Secret,
}

/// A set of origins.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Origins(u16);

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 8] = [
        Self::Outsider,
        Self::OutsiderName,
        Self::Starter,
        Self::StarterChoice,
        Self::Model,
        Self::Service,
        Self::People,
        Self::Secret,
    ];
}

impl Origins {
    /// None.
    pub const NONE: Self = Self(0);
    /// All of them but secrets: what is said of data about which nothing is known.
    pub const ANY: Self = Self((1 << Origin::Secret as u16) - 1);
    /// Free text that somebody without permission on the repository, a model or a service could have written.
    pub const UNTRUSTED: Self =
        Self(1 << Origin::Outsider as u16 | 1 << Origin::Model as u16 | 1 << Origin::Service as u16);

    /// Just this one.
    pub const fn of(origin: Origin) -> Self {
        Self(1 << origin as u16)
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is here and not there.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether this origin is among them.
    pub const fn has(self, origin: Origin) -> bool {
        self.0 & (1 << origin as u16) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in it.
    pub fn iter(self) -> impl Iterator<Item = Origin> {
        Origin::ALL.into_iter().filter(move |origin| self.has(*origin))
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

/// A part of `trigger`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TriggerPart {
    Type,
    Actor,
    Payload,
    Number,
    Title,
    Author,
    Head,
    HeadSha,
    Base,
    Labels,
    Url,
    /// Anything else: taken for text that anybody may have written.
    Other,
}

impl TriggerPart {
    /// Every part.
    pub const ALL: [Self; 12] = [
        Self::Type,
        Self::Actor,
        Self::Payload,
        Self::Number,
        Self::Title,
        Self::Author,
        Self::Head,
        Self::HeadSha,
        Self::Base,
        Self::Labels,
        Self::Url,
        Self::Other,
    ];

    /// The part that `trigger.NAME` reads.
    pub fn direct(name: &str) -> Self {
        match name {
            "type" => Self::Type,
            "actor" => Self::Actor,
            "payload" => Self::Payload,
            _ => Self::Other,
        }
    }

    /// The part that `trigger.pull_request.NAME` reads.
    pub fn of_pull_request(name: &str) -> Self {
        match name {
            "number" => Self::Number,
            "title" => Self::Title,
            "author" => Self::Author,
            "head" => Self::Head,
            "head_sha" => Self::HeadSha,
            "base" => Self::Base,
            "labels" => Self::Labels,
            "url" => Self::Url,
            _ => Self::Other,
        }
    }

    /// Whether it is read as `trigger.pull_request.…`.
    pub fn is_of_pull_request(self) -> bool {
        !matches!(self, Self::Type | Self::Actor | Self::Payload | Self::Other)
    }

    /// How an author reads it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Type => "trigger.type",
            Self::Actor => "trigger.actor",
            Self::Payload => "trigger.payload",
            Self::Number => "trigger.pull_request.number",
            Self::Title => "trigger.pull_request.title",
            Self::Author => "trigger.pull_request.author",
            Self::Head => "trigger.pull_request.head",
            Self::HeadSha => "trigger.pull_request.head_sha",
            Self::Base => "trigger.pull_request.base",
            Self::Labels => "trigger.pull_request.labels",
            Self::Url => "trigger.pull_request.url",
            Self::Other => "trigger",
        }
    }

    /// Who could have written it. Numbers, commits, addresses and the kind of event are GitHub's own, and a base branch
    /// is one that the repository has: nobody outside writes text into them.
    pub fn origins(self) -> Origins {
        match self {
            Self::Payload | Self::Title | Self::Head | Self::Labels | Self::Other => Origins::of(Origin::Outsider),
            Self::Actor | Self::Author => Origins::of(Origin::OutsiderName),
            Self::Type | Self::Number | Self::HeadSha | Self::Base | Self::Url => Origins::NONE,
        }
    }
}

/// Where data comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A part of `trigger`.
    Trigger(TriggerPart),
    /// An input.
    Input(String),
    /// What a step gave.
    Step(StepNumber),
    /// Why a step failed: its message may repeat what it was given and what it was answered.
    Error(StepNumber),
    /// A secret.
    Secret(String),
}

/// Who could have written the inputs of a process when it is started for itself. A pull request, a push, a time table, a
/// deployment and a merge group give no inputs; what is not given is what the author wrote as a default.
pub(super) fn starters(process: &Process) -> bool {
    let gives = |trigger: &Trigger| {
        use Trigger::{Deployment, MergeGroup, PullRequest, Push, Schedule};
        !matches!(trigger, PullRequest(_) | Push(_) | Schedule(_) | Deployment(_) | MergeGroup)
    };
    process.header.triggers.as_ref().is_none_or(|triggers| triggers.iter().any(|trigger| gives(trigger)))
}

/// Who could have written an input, where it comes from a starter.
pub(super) fn of_input(field: &crate::definition::Field) -> Origin {
    let narrow = field.choices.is_some()
        || matches!(field.kind.value, FieldType::Integer | FieldType::Number | FieldType::Boolean | FieldType::Date);
    if narrow { Origin::StarterChoice } else { Origin::Starter }
}

/// Who could have written what a step itself adds to its output; what it passes on comes on top of that. An agent may repeat
/// what its tools gave it.
pub(super) fn of_output(step: &Step, reads_words: &dyn Fn(&AgentTask) -> bool) -> Origins {
    match &step.kind {
        StepKind::AgentTask(task) if reads_words(task) => Origins::of(Origin::Model).with(Origins::of(Origin::Service)),
        StepKind::AgentTask(_) | StepKind::AiGenerate(_) => Origins::of(Origin::Model),
        StepKind::ApiCall(_) | StepKind::McpCall(_) | StepKind::Workflow(_) => Origins::of(Origin::Service),
        StepKind::HumanApproval(_) | StepKind::Form(_) => Origins::of(Origin::People),
        StepKind::Wait(wait) if wait.event.is_some() => Origins::of(Origin::Service),
        StepKind::Wait(_)
        | StepKind::Set(_)
        | StepKind::Gateway(_)
        | StepKind::Process(_)
        | StepKind::Foreach(_)
        | StepKind::Notify(_) => Origins::NONE,
    }
}
