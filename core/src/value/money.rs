//! An amount of money: a decimal number and a currency, never a float.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use super::{ValueError, written_as_text};

/// An amount that is not negative, and an ISO 4217 code: `0.50 USD`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Money {
    amount: Decimal,
    currency: [u8; 3],
}

impl Money {
    /// The amount.
    pub fn amount(&self) -> Decimal {
        self.amount
    }

    /// The currency's code.
    pub fn currency(&self) -> &str {
        std::str::from_utf8(&self.currency).unwrap_or_default()
    }

    /// `count` of what so many cost, as exact as a decimal number is; nothing where it is too large.
    pub fn times(&self, count: u64, of: u64) -> Option<Self> {
        let amount = self.amount.checked_mul(Decimal::from(count))?.checked_div(Decimal::from(of))?;
        Some(Self { amount: amount.normalize(), currency: self.currency })
    }

    /// The sum; nothing where the currencies differ or the sum is too large.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        let amount = self.amount.checked_add(other.amount)?;
        (self.currency == other.currency).then_some(Self { amount, currency: self.currency })
    }
}

impl FromStr for Money {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let example = "write an amount and a currency, as in `0.50 USD`";
        let Some((amount, currency)) = text.split_once(' ') else {
            return Err(ValueError::whole(format!("`{text}` lacks a currency or an amount"), text).help(example));
        };
        let code: Option<[u8; 3]> =
            currency.as_bytes().try_into().ok().filter(|code: &[u8; 3]| code.iter().all(u8::is_ascii_uppercase));
        let Some(code) = code else {
            let range = amount.len() + 1..text.len();
            return Err(ValueError::new(format!("`{currency}` is no currency"), range).help(example));
        };
        let digits = amount.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number = Decimal::from_str_exact(amount).ok().filter(|_| digits);
        let Some(amount) = number else {
            return Err(ValueError::new(format!("`{amount}` is no amount"), 0..amount.len()).help(example));
        };
        Ok(Self { amount, currency: code })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.amount, self.currency())
    }
}

written_as_text!(
    Money,
    "an amount",
    "^[0-9]*\\.?[0-9]+ [A-Z]{3}$",
    "An amount and a currency: 0.50 USD.",
    "0.50 USD",
    "20 EUR"
);
