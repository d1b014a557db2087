//! Why a case cannot be played at all: its moment, its trigger, its inputs.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::trigger;
use crate::definition::Process;
use crate::definition::field::{defaults, faults, schema_of_fields};
use crate::definition::test::TestCase;
use crate::source::{Span, closest};

/// When a case starts where it does not say so: a Monday morning.
const START: &str = "2026-01-05T09:00:00Z";

/// Why a case cannot be played, and where its file says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFault {
    /// The smallest text that is wrong.
    pub span: Span,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl CaseFault {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Every reason why a case of a process cannot even start.
pub(super) fn faults_of(process: &Process, case: &TestCase) -> Vec<CaseFault> {
    start_faults(process, case).into_iter().chain(of_inputs(process, case)).collect()
}

/// The same but for the inputs: its moment and its trigger.
pub fn start_faults(process: &Process, case: &TestCase) -> Vec<CaseFault> {
    [moment(case).err(), trigger::start(process, case).err()].into_iter().flatten().collect()
}

/// When a case starts.
pub(super) fn moment(case: &TestCase) -> Result<Timestamp, CaseFault> {
    let usual = || START.parse().unwrap_or(Timestamp::UNIX_EPOCH);
    let Some(at) = &case.at else { return Ok(usual()) };
    at.parse().map_err(|_| {
        CaseFault::new(at.span, format!("`{}` is no moment", at.value)).help("write one such as 2026-01-05T09:00:00Z")
    })
}

/// The inputs as given.
pub(super) fn inputs(case: &TestCase) -> Map<String, Value> {
    case.inputs.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect()
}

fn of_inputs(process: &Process, case: &TestCase) -> Vec<CaseFault> {
    let fields = &process.header.inputs;
    let mut given = defaults(fields);
    given.extend(inputs(case));
    let fault = |(path, words): (String, String)| {
        let name = path.split('.').next().unwrap_or_default();
        let written = case.inputs.iter().find(|(known, _)| known.as_str() == name);
        let is_known = fields.keys().any(|known| known.as_str() == name);
        let span = match written {
            Some((_, value)) if is_known => value.span,
            Some((name, _)) => name.span,
            None => case.name.span,
        };
        let fault = CaseFault::new(span, format!("input `{path}` {words}"));
        let meant = closest(name, fields.keys().map(|known| known.as_str())).filter(|_| !is_known);
        match meant {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None => fault,
        }
    };
    faults(&schema_of_fields(fields), &Value::Object(given)).into_iter().map(fault).collect()
}
