//! What models cost: a table that is data, and that an operator can replace. An answer's cost is computed from the tokens that
//! the provider counted; what providers really charge (discounts, caches, taxes) is not known here.

use serde::Deserialize;

use super::Money;

/// The table that comes with flowctl.
const TABLE: &str = include_str!("prices.toml");
/// What prices are for.
const TOKENS: u64 = 1_000_000;

/// What a million tokens cost.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The model as `provider/model`; a `*` at the end stands for anything.
    pub model: String,
    /// A million tokens read.
    pub input: Money,
    /// A million tokens written.
    pub output: Money,
    /// How many tokens a question and its answer may have together; nothing: it is not known.
    #[serde(default)]
    pub context_window: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    price: Vec<Price>,
}

/// Why a table cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PricesError {
    /// It is no table of prices.
    #[error("it is no table of prices: {0}")]
    Form(String),
    /// Two currencies for one model.
    #[error("the prices of `{0}` are in two currencies")]
    Currencies(String),
}

/// What models cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    table: Vec<Price>,
}

impl Default for Prices {
    /// The table that comes with flowctl.
    fn default() -> Self {
        // A test reads it; were it broken all the same, nothing would have a price.
        Self::read(TABLE).unwrap_or(Self { table: Vec::new() })
    }
}

impl Prices {
    /// Reads a table: TOML, `[[price]]` with `model`, `input`, `output` and, where it is known, `context_window`.
    ///
    /// # Errors
    /// Where it is none.
    pub fn read(text: &str) -> Result<Self, PricesError> {
        let File { price: table } = toml::from_str(text).map_err(|error| PricesError::Form(error.to_string()))?;
        match table.iter().find(|price| price.input.currency() != price.output.currency()) {
            Some(price) => Err(PricesError::Currencies(price.model.clone())),
            None => Ok(Self { table }),
        }
    }

    /// The price of a model, `provider/model`: of the entries that fit, the longest.
    pub fn of(&self, model: &str) -> Option<&Price> {
        let fits = |price: &&Price| match price.model.strip_suffix('*') {
            Some(start) => model.starts_with(start),
            None => price.model == model,
        };
        self.table.iter().filter(fits).max_by_key(|price| price.model.len())
    }

    /// How many tokens a question and its answer may have together, where that is known.
    pub fn context_window(&self, model: &str) -> Option<u64> {
        self.of(model)?.context_window
    }

    /// Whether a model costs nothing; then it fits a budget in any currency.
    pub fn is_free(&self, model: &str) -> bool {
        self.of(model).is_some_and(|price| price.input.amount().is_zero() && price.output.amount().is_zero())
    }

    /// What so many tokens cost; nothing where the model has no price.
    pub fn cost(&self, model: &str, input_tokens: u64, output_tokens: u64) -> Option<Money> {
        let price = self.of(model)?;
        let read = price.input.times(input_tokens, TOKENS)?;
        read.checked_add(&price.output.times(output_tokens, TOKENS)?)
    }
}
