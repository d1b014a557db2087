//! What models are asked and what they answer, whoever has them. Data, and nothing that reaches anybody.

use flowctl_core::execution::{Entry, LeftOutTool, Speaker, StopReason, ToolCall, Usage};
use flowctl_core::value::Money;
use serde_json::Value;

/// About how many characters a token of English has, by what providers tell of their tokenizers. A character beyond ASCII
/// is about a token of its own.
const CHARACTERS_OF_TOKEN: u64 = 4;

/// The longest answer where nobody says how long it may become, in tokens.
pub const USUAL_ANSWER: u64 = 8_192;

/// Something said in a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// By who made the rules.
    System {
        /// What.
        text: String,
    },
    /// By who asks.
    User {
        /// What.
        text: String,
    },
    /// By the model.
    Assistant {
        /// What it said.
        text: String,
        /// The tools that it wanted to be called.
        calls: Vec<ToolCall>,
    },
    /// What a call of a tool gave. Every call of an answer gets one of these before anything else is said.
    Tool {
        /// The call's id.
        call: String,
        /// The name under which the model knows the operation.
        name: String,
        /// The result, as text.
        text: String,
        /// Whether it tells of a failure.
        is_error: bool,
    },
}

impl Message {
    /// Something said by `role`.
    pub fn new(role: Speaker, text: impl Into<String>) -> Self {
        let text = text.into();
        match role {
            Speaker::System => Self::System { text },
            Speaker::User => Self::User { text },
            Speaker::Assistant => Self::Assistant { text, calls: Vec::new() },
        }
    }

    /// What a journal's entry adds to a conversation by itself; nothing where that is not known from the entry alone.
    pub fn of(entry: &Entry) -> Option<Self> {
        match entry {
            Entry::Message { role, text } => Some(Self::new(*role, text.as_str())),
            Entry::ModelAnswered { text, calls, .. } => {
                Some(Self::Assistant { text: text.clone(), calls: calls.clone() })
            }
            // Only the names: what a server said instead of an answer is nobody's instruction.
            Entry::ToolsLeftOut { tools } => Some(Self::User { text: without(tools) }),
            _ => None,
        }
    }

    /// About how many tokens it has.
    pub fn about_tokens(&self) -> u64 {
        match self {
            Self::System { text } | Self::User { text } | Self::Tool { text, .. } => about_tokens(text),
            Self::Assistant { text, calls } => about_tokens_of_answer(text, calls),
        }
    }
}

/// What a model is told of tools that do not answer.
fn without(tools: &[LeftOutTool]) -> String {
    if tools.is_empty() {
        return "All of your tools answer again.".to_owned();
    }
    let names: Vec<String> = tools.iter().map(|left_out| format!("`{}`", left_out.tool)).collect();
    format!(
        "These tools do not answer now and cannot be used: {}. Go on without them. Where the task cannot be done without them, \
         say so instead of guessing.",
        names.join(", ")
    )
}

/// A tool that a model may want to be called.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOffer {
    /// The name under which the model knows it: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments: an object.
    pub parameters: Value,
}

/// What a model is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// The model, by its provider's name for it.
    pub model: String,
    /// The conversation so far; the last message wants an answer.
    pub messages: Vec<Message>,
    /// The tools that it may want to be called, several at a time.
    pub tools: Vec<ToolOffer>,
    /// The JSON Schema that the answer must satisfy; nothing: it is a text. Providers hold their models to it as far as
    /// they can; whoever asks checks.
    pub schema: Option<Value>,
    /// How free the model is, 0 to 2.
    pub temperature: Option<f64>,
    /// The longest answer, in tokens; nothing: [`USUAL_ANSWER`].
    pub max_output_tokens: Option<u64>,
    /// Which attempt of its step asks, from 1.
    pub attempt: u32,
}

impl Question {
    /// The longest answer, in tokens. Providers are always told, so that a call can use no more than was reserved for it.
    pub fn longest_answer(&self) -> u64 {
        self.max_output_tokens.unwrap_or(USUAL_ANSWER)
    }

    /// About how many tokens it has.
    pub fn about_tokens(&self) -> u64 {
        let said: u64 = self.messages.iter().map(Message::about_tokens).sum();
        let tools = self.tools.iter().map(|tool| {
            about_tokens(&tool.name) + about_tokens(&tool.description) + about_tokens(&tool.parameters.to_string())
        });
        let schema = self.schema.as_ref().map_or(0, |schema| about_tokens(&schema.to_string()));
        said + tools.sum::<u64>() + schema
    }
}

/// About how many tokens a text is: rather too many than too few, because budgets are held against it.
pub fn about_tokens(text: &str) -> u64 {
    let (plain, others) =
        text.chars().fold(
            (0_u64, 0_u64),
            |(plain, others), character| {
                if character.is_ascii() { (plain + 1, others) } else { (plain, others + 1) }
            },
        );
    plain.div_ceil(CHARACTERS_OF_TOKEN) + others
}

fn about_tokens_of_answer(text: &str, calls: &[ToolCall]) -> u64 {
    let calls = calls.iter().map(|call| about_tokens(&call.name) + about_tokens(&call.arguments.to_string()));
    about_tokens(text) + calls.sum::<u64>()
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The answer: JSON, where a schema was given and the model did as it was asked.
    pub text: String,
    /// The tools that it wants to be called.
    pub calls: Vec<ToolCall>,
    /// Why it stopped.
    pub stop: StopReason,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Whether the provider did not say how many tokens, so that they are a guess.
    pub estimated: bool,
    /// What it cost, where the provider says so itself.
    pub cost: Option<Money>,
}

impl Answer {
    /// An answer to this question; without the provider's own count the tokens are a guess.
    pub fn of(
        question: &Question,
        text: String,
        calls: Vec<ToolCall>,
        stop: StopReason,
        tokens: Option<(u64, u64)>,
    ) -> Self {
        let guess = || (question.about_tokens(), about_tokens_of_answer(&text, &calls));
        let (input_tokens, output_tokens) = tokens.unwrap_or_else(guess);
        Self { text, calls, stop, input_tokens, output_tokens, estimated: tokens.is_none(), cost: None }
    }

    /// What it used, of a model that people know by this name.
    pub(super) fn usage(&self, model: &str, cost: Option<Money>) -> Usage {
        Usage {
            model: model.to_owned(),
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cost: cost.map(|cost| cost.to_string()),
            estimated: self.estimated,
            calls: 1,
            ..Usage::default()
        }
    }
}
