//! From words to a definition: a model writes a process, our own validation judges it, and the model mends what it finds, a
//! limited number of times. What comes out is sound or is said not to be; nobody runs it from here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowctl_core::definition::repository::{Repository, own_place};
use flowctl_core::execution::{Speaker, StepError, Usage};
use flowctl_core::validate::{Finding, Options, Severity, validate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{AskFailure, Asking, Message, Question};
use crate::steps::JournalError;

/// What a model is told about the language.
const GUIDE: &str = include_str!("guide.md");
/// How often a model mends what it wrote.
const MAX_REPAIRS: u32 = 3;
/// How long all of it may take.
pub const LIMIT: Duration = Duration::from_secs(300);
/// Findings that a model is shown at once.
const SHOWN: usize = 20;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 20_000;

/// A definition that was made from words.
#[derive(Debug, Clone, Serialize)]
pub struct Interpretation {
    /// Where it belongs.
    pub path: String,
    /// The file's text.
    pub definition: String,
    /// What it does and what was left open, in the model's words.
    pub explanation: String,
    /// How sure that is what was meant, 0 to 1: the model's own word, lowered for each repair and warning.
    pub confidence: f64,
    /// Whether validation finds no error in it.
    pub sound: bool,
    /// What validation finds.
    pub findings: Vec<Finding>,
    /// How often the model was asked.
    pub attempts: u32,
    /// Why it was not asked to mend it, where it would have been.
    pub stopped: Option<String>,
    /// The model.
    pub model: String,
    /// Tokens read and written.
    pub tokens: u64,
    /// What the answers cost, currency by currency, with `unknown` where a part has no known price.
    pub cost: Option<String>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum InterpretError {
    /// The description is too long, or empty.
    #[error("a description has 1 to {MAX_DESCRIPTION} characters")]
    Description,
    /// The model did not answer. The reason names it.
    #[error("{}", .0.message)]
    Provider(StepError),
    /// A budget does not allow another question.
    #[error("{0}")]
    Budget(String),
    /// What is used cannot be counted.
    #[error(transparent)]
    Unrecorded(JournalError),
    /// It took too long.
    #[error("`{model}` took longer than {} s in all", LIMIT.as_secs())]
    Time {
        /// The model.
        model: String,
    },
    /// The model never answered in the form that was asked for.
    #[error("`{model}` did not answer in the form that was asked for, also after {MAX_REPAIRS} repairs: {fault}")]
    Form {
        /// The model.
        model: String,
        /// What was wrong last.
        fault: String,
    },
}

/// What a model is to answer.
#[derive(Debug, Deserialize)]
struct Written {
    definition: String,
    explanation: String,
    confidence: f64,
}

impl From<AskFailure> for InterpretError {
    fn from(failure: AskFailure) -> Self {
        match failure {
            AskFailure::Provider(error) => Self::Provider(error),
            AskFailure::Journal(JournalError::OverBudget(reason)) => Self::Budget(reason),
            AskFailure::Journal(error) => Self::Unrecorded(error),
        }
    }
}

/// Has a model write a process from a description. `beside`: the repository's other files by path, which it may refer to.
///
/// # Errors
/// Where the model does not answer or may not be asked, or does not answer in the form that was asked for. A definition that is
/// not sound in the end is no error, also where no budget or time is left to mend it.
pub async fn interpret(
    asking: &Asking,
    description: &str,
    beside: &BTreeMap<String, String>,
) -> Result<Interpretation, InterpretError> {
    interpret_within(LIMIT, asking, description, beside).await
}

async fn interpret_within(
    limit: Duration,
    asking: &Asking,
    description: &str,
    beside: &BTreeMap<String, String>,
) -> Result<Interpretation, InterpretError> {
    if description.trim().is_empty() || description.chars().count() > MAX_DESCRIPTION {
        return Err(InterpretError::Description);
    }
    let mut question = Question {
        model: asking.model().to_owned(),
        messages: vec![
            Message::new(Speaker::System, format!("{GUIDE}\n{}", known(beside))),
            Message::new(Speaker::User, description),
        ],
        schema: Some(schema()),
        attempt: 1,
        ..Question::default()
    };
    let (mut attempts, mut used, mut stopped) = (0, Usage::default(), None);
    let (mut best, mut fault): (Option<Interpretation>, String) = (None, String::new());
    let until = Instant::now() + limit;
    while attempts <= MAX_REPAIRS {
        let answered =
            tokio::time::timeout_at(until, async { asking.ask(&question).await.map_err(InterpretError::from) }).await;
        let answered = answered.unwrap_or_else(|_| Err(InterpretError::Time { model: asking.model_name().to_owned() }));
        let answer = match answered {
            Ok(answer) => answer,
            // What was written and paid for is told, also where nobody can mend it any more.
            Err(error @ (InterpretError::Budget(_) | InterpretError::Provider(_) | InterpretError::Time { .. }))
                if best.is_some() =>
            {
                stopped = Some(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        };
        attempts += 1;
        used = used.plus(&asking.usage_of(&answer));
        let complaint = match read(&answer.text) {
            Ok(written) => {
                let judged = judge(asking, written, beside, attempts).await;
                let complaint = complaint(&judged.findings);
                let sound = judged.sound;
                // Of definitions that are not sound the one with the fewest errors is told.
                if best.as_ref().is_none_or(|best| errors(&judged) <= errors(best)) {
                    best = Some(judged);
                }
                if sound {
                    break;
                }
                complaint
            }
            Err(wrong) => {
                fault.clone_from(&wrong);
                format!("Your answer cannot be read: {wrong}. Answer with the JSON object that was asked for.")
            }
        };
        question.messages.push(Message::new(Speaker::Assistant, answer.text));
        question.messages.push(Message::new(Speaker::User, complaint));
    }
    let (tokens, cost) = (used.tokens(), used.total());
    let model = asking.model_name().to_owned();
    best.map(|best| Interpretation { attempts, stopped, tokens, cost, ..best })
        .ok_or(InterpretError::Form { model, fault })
}

fn errors(made: &Interpretation) -> usize {
    made.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
}

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["definition", "explanation", "confidence"],
        "additionalProperties": false,
        "properties": {
            "definition": {"type": "string", "description": "The whole text of the YAML file"},
            "explanation": {"type": "string", "description": "What the process does, step by step, and what had to be guessed"},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1, "description": "How sure you are that this is what was meant"}
        }
    })
}

/// The names that a definition may refer to.
fn known(beside: &BTreeMap<String, String>) -> String {
    let paths: Vec<&str> =
        beside.keys().map(String::as_str).filter(|path| path.starts_with(".flow/")).take(200).collect();
    if paths.is_empty() {
        return "The repository has no other definitions: refer to none.".to_owned();
    }
    format!("The repository has these files, and a definition may refer to no others: {}", paths.join(", "))
}

fn read(text: &str) -> Result<Written, String> {
    let text = text.trim();
    let inside = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let text = inside.and_then(|inside| inside.split_once('\n')).map_or(text, |(_, body)| body);
    serde_json::from_str(text).map_err(|error| error.to_string())
}

async fn judge(asking: &Asking, written: Written, beside: &BTreeMap<String, String>, attempts: u32) -> Interpretation {
    let Written { definition, explanation, confidence } = written;
    let definition = plain(&definition);
    let place = own_place(definition.as_bytes()).unwrap_or_else(|| ".flow/processes/process".to_owned());
    let path = format!("{place}.yaml");
    let mut files = beside.clone();
    files.insert(path.clone(), definition.clone());
    let own = path.clone();
    let prices = Arc::clone(asking.prices());
    // Rules take their time; other requests are answered meanwhile.
    let checked = tokio::task::spawn_blocking(move || {
        let report = validate(&Repository::read(files), &Options { prices: Some(&prices), ..Options::default() });
        let (own, others): (Vec<Finding>, Vec<Finding>) =
            report.findings.into_iter().partition(|finding| finding.path == own);
        drop(others);
        own
    });
    let findings = checked.await.unwrap_or_default();
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let sound = count(Severity::Error) == 0;
    let repairs = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
    let warnings = i32::try_from(count(Severity::Warning)).unwrap_or(i32::MAX);
    let confidence =
        if sound { confidence.clamp(0.0, 1.0) * 0.9_f64.powi(repairs) * 0.95_f64.powi(warnings) } else { 0.0 };
    let confidence = (confidence * 100.0).round() / 100.0;
    Interpretation {
        path,
        definition,
        explanation,
        confidence,
        sound,
        findings,
        attempts,
        stopped: None,
        model: asking.model_name().to_owned(),
        tokens: 0,
        cost: None,
    }
}

/// The file's text without the fence that models like to put around it, with one line's end at its end.
fn plain(text: &str) -> String {
    let text = text.trim();
    let inside = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let text = inside.and_then(|inside| inside.split_once('\n')).map_or(text, |(_, body)| body.trim_end());
    format!("{text}\n")
}

fn complaint(findings: &[Finding]) -> String {
    let mut text = "flowctl refuses this definition:\n".to_owned();
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Error).take(SHOWN) {
        text.push_str(&format!("- line {}: {} {}", finding.range.start.line, finding.code, finding.message));
        if let Some(help) = &finding.help {
            text.push_str(&format!(" ({help})"));
        }
        text.push('\n');
    }
    text.push_str("Answer again with the whole file, mended.");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use flowctl_core::execution::budget::Limits;
    use flowctl_core::execution::{CallRequest, Entry};

    use super::*;
    use crate::ai::Providers;
    use crate::steps::{Journal, JournalWriter};

    fn scripted(turns: &Value) -> String {
        format!("Say hello every day.\n```mock-script\n{turns}\n```")
    }

    fn said(definition: &str) -> Value {
        json!({"say": {"definition": definition, "explanation": "It says hello.", "confidence": 0.8}})
    }

    const SOUND: &str = "name: hello\nversion: 1\ntriggers: [manual]\nsteps:\n  - id: say\n    type: set\n    values: {text: hello}\noutputs: {text: \"{{ steps.say.output.text }}\"}\n";

    /// Asks a model on a record that nobody reads.
    fn asking(model: &str) -> Asking {
        let providers = Providers::default();
        let model = providers.resolve(model).unwrap();
        Asking::new(&providers, model, Journal::default(), Limits::default())
    }

    async fn interpreted(turns: &Value) -> Result<Interpretation, InterpretError> {
        interpret(&asking("mock/script"), &scripted(turns), &BTreeMap::new()).await
    }

    #[tokio::test]
    async fn a_definition_that_validation_refuses_is_mended_by_the_model() {
        let broken = SOUND.replace("steps.say.output", "steps.sy.output");
        let result =
            interpreted(&json!([{"say": 7}, said(&broken), said(&format!("```yaml\n{SOUND}```"))])).await.unwrap();
        assert_eq!((result.path.as_str(), result.definition.as_str()), (".flow/processes/hello.yaml", SOUND));
        assert!(result.sound && result.findings.is_empty(), "{result:?}");
        assert_eq!((result.attempts, result.confidence), (3, 0.65));
        assert_eq!(result.stopped, None);
    }

    #[tokio::test]
    async fn what_is_not_sound_in_the_end_says_so() {
        let broken = said(&SOUND.replace("type: set", "type: sett"));
        let result = interpreted(&json!([broken, broken, broken, broken])).await.unwrap();
        assert!(!result.sound);
        assert_eq!((result.attempts, result.confidence), (4, 0.0));
        assert_eq!(result.findings[0].severity, Severity::Error);
        let error = interpreted(&json!([{"say": 1}, {"say": 2}, {"say": 3}, {"say": 4}])).await.unwrap_err();
        assert!(error.to_string().contains("also after 3 repairs"), "{error}");
    }

    #[tokio::test]
    async fn the_best_try_is_told_where_none_is_sound_and_a_model_that_hangs_is_not_waited_for() {
        let one = said(&SOUND.replace("type: set", "type: sett"));
        let many = said("name: 7\nversions: 1\nsteps: [{id: A}, {ids: b}]\n");
        let result = interpreted(&json!([many, one, many, many])).await.unwrap();
        assert_eq!((errors(&result), result.attempts), (1, 4), "{:?}", result.findings);
        let asking = asking("mock/timeout");
        let error = interpret_within(Duration::ZERO, &asking, "Say hello.", &BTreeMap::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "`mock/timeout` took longer than 300 s in all");
    }

    /// A journal of somebody whose budget ends with one answer.
    #[derive(Default)]
    struct OneAnswer(AtomicBool);

    #[async_trait]
    impl JournalWriter for OneAnswer {
        async fn append(&self, _: u32, entry: Entry) -> Result<(), JournalError> {
            match entry {
                Entry::ModelAsked { .. } if self.0.load(Ordering::SeqCst) => {
                    return Err(JournalError::OverBudget("nothing is left".to_owned()));
                }
                Entry::ModelAnswered { .. } => self.0.store(true, Ordering::SeqCst),
                _ => {}
            }
            Ok(())
        }

        async fn ask(&self, _: CallRequest) -> JournalError {
            JournalError::Over
        }
    }

    #[tokio::test]
    async fn a_definition_that_was_paid_for_is_told_where_it_cannot_be_mended_any_more() {
        let broken = said(&SOUND.replace("type: set", "type: sett"));
        let providers = Providers::default();
        let model = providers.resolve("mock/script").unwrap();
        let journal = Journal::new(Vec::new(), 0, Arc::new(OneAnswer::default()));
        let asking = Asking::new(&providers, model, journal, Limits::default());
        let script = scripted(&json!([broken, said(SOUND)]));
        let result = interpret(&asking, &script, &BTreeMap::new()).await.unwrap();
        assert!(!result.sound);
        assert_eq!((errors(&result), result.attempts, result.confidence), (1, 1, 0.0));
        assert_eq!(result.stopped.as_deref(), Some("nothing is left"));
        let refused = interpret(&asking, &script, &BTreeMap::new()).await.unwrap_err();
        assert!(matches!(refused, InterpretError::Budget(_)), "{refused:?}");
    }

    #[tokio::test]
    async fn budgets_are_judged_by_the_prices_by_which_models_are_paid() {
        let priced = "[[price]]\nmodel = \"openai/gpt-5*\"\ninput = \"1 EUR\"\noutput = \"2 EUR\"\n";
        let providers = Providers::default().with_prices(flowctl_core::value::Prices::read(priced).unwrap());
        let model = providers.resolve("mock/script").unwrap();
        let asking = Asking::new(&providers, model, Journal::default(), Limits::default());
        let text = "name: hello\nversion: 1\nsteps:\n  - id: say\n    type: ai_generate\n    model: openai/gpt-5\n    \
                    prompt: Hello\n    output_schema: {type: object}\n    budget: {max_cost: 1 EUR}\n";
        let result = interpret(&asking, &scripted(&json!([said(text)])), &BTreeMap::new()).await.unwrap();
        assert!(result.sound && result.findings.is_empty(), "{:?}", result.findings);
        assert_eq!(result.confidence, 0.8);
    }

    #[test]
    fn the_guide_s_own_example_is_sound() {
        let (_, rest) = GUIDE.split_once("```yaml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let files = [(".flow/processes/release.yaml".to_owned(), example.to_owned())];
        let report = validate(&Repository::read(files), &Options::default());
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
}
