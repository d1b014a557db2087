//! What was used of models: tokens, and money currency by currency. A sum never hides that a part of it has no known price.
//! What providers charge is not known here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::value::Money;

/// What a step used of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The model that answered.
    #[serde(default)]
    pub model: String,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// What it cost, as `0.0123 USD`: as much of it as is known, in one currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// What it cost in further currencies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_costs: Vec<String>,
    /// Whether a part of it has no known price, so that it cost more than is said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpriced: bool,
    /// Whether a part of it is not what the provider said but a guess.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Calls of the model, repairs included.
    pub calls: u32,
}

impl Usage {
    /// Both together; the model is that of the later one.
    #[must_use]
    pub fn plus(self, more: &Self) -> Self {
        let mut unpriced = self.is_unpriced() || more.is_unpriced();
        let mut sums: BTreeMap<String, Money> = BTreeMap::new();
        for cost in self.costs().chain(more.costs()) {
            let Ok(cost) = cost.parse::<Money>() else {
                unpriced = true;
                continue;
            };
            let sum = match sums.get(cost.currency()) {
                Some(sum) => sum.checked_add(&cost),
                None => Some(cost.clone()),
            };
            match sum {
                Some(sum) => drop(sums.insert(cost.currency().to_owned(), sum)),
                // More than can be counted.
                None => unpriced = true,
            }
        }
        let mut costs = sums.into_values().map(|sum| sum.to_string());
        Self {
            model: if more.model.is_empty() { self.model } else { more.model.clone() },
            input_tokens: self.input_tokens.saturating_add(more.input_tokens),
            output_tokens: self.output_tokens.saturating_add(more.output_tokens),
            cost: costs.next(),
            other_costs: costs.collect(),
            unpriced,
            estimated: self.estimated || more.estimated,
            calls: self.calls.saturating_add(more.calls),
        }
    }

    /// Tokens, read and written together.
    pub fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// What is known of its cost, a currency each.
    pub fn costs(&self) -> impl Iterator<Item = &str> {
        self.cost.iter().chain(&self.other_costs).map(String::as_str)
    }

    /// Whether a part of it has no known price. What was stored before this was kept says so by having no cost.
    pub fn is_unpriced(&self) -> bool {
        self.unpriced || (self.cost.is_none() && self.tokens() > 0)
    }

    /// What it cost: the sum of each currency, in the order of their codes, and `unknown` where a part has no known price, as
    /// `1.9 EUR + 1.5 USD + unknown`. Nothing where nothing is known.
    pub fn total(&self) -> Option<String> {
        let mut parts: Vec<&str> = self.costs().collect();
        if !parts.is_empty() && self.is_unpriced() {
            parts.push("unknown");
        }
        (!parts.is_empty()).then(|| parts.join(" + "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(cost: Option<&str>) -> Usage {
        Usage { input_tokens: 10, cost: cost.map(str::to_owned), calls: 1, ..Usage::default() }
    }

    fn sum(costs: &[Option<&str>]) -> Option<String> {
        costs.iter().fold(Usage::default(), |sum, cost| sum.plus(&usage(*cost))).total()
    }

    #[test]
    fn a_sum_of_two_currencies_was_whatever_came_last() {
        let cases: [(&[Option<&str>], Option<&str>); 7] = [
            (&[Some("1.5 USD"), Some("1.9 EUR"), Some("1.9 EUR")], Some("3.8 EUR + 1.5 USD")),
            (&[Some("1.5 USD"), None], Some("1.5 USD + unknown")),
            (&[None, Some("1.5 USD"), Some("2 EUR")], Some("2 EUR + 1.5 USD + unknown")),
            (&[Some("1 USD"), Some("2 USD")], Some("3 USD")),
            (&[Some("1 USD"), Some("a lot")], Some("1 USD + unknown")),
            (&[None, None], None),
            (&[], None),
        ];
        for (costs, expected) in cases {
            assert_eq!(sum(costs).as_deref(), expected, "{costs:?}");
        }
    }

    #[test]
    fn what_was_stored_before_is_read() {
        let stored = r#"{"model":"m","input_tokens":10,"output_tokens":5,"cost":"0.1 USD","calls":1}"#;
        let read: Usage = serde_json::from_str(stored).unwrap_or_default();
        assert_eq!((read.total().as_deref(), read.is_unpriced()), (Some("0.1 USD"), false));
        assert_eq!(serde_json::to_string(&read).unwrap_or_default(), stored);
        let free: Usage =
            serde_json::from_str(r#"{"input_tokens":10,"output_tokens":5,"calls":1}"#).unwrap_or_default();
        assert!(free.is_unpriced());
        assert_eq!(free.plus(&usage(Some("1 USD"))).total().as_deref(), Some("1 USD + unknown"));
    }
}
