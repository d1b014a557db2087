//! What accounts have spent in a month, and whether a budget allows more. A transition brings what it uses and reserves; the
//! back end adds it in the same transaction, and tells the execution that brought a budget near its end. Amounts are whole
//! billionths of a currency, rounded up, so that databases can add them.

use async_trait::async_trait;
use flowctl_core::execution::budget::{Account, Limits, Month, NearlyUsed};
use flowctl_core::execution::{Signal, TenantId, Usage};
use flowctl_core::value::Money;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::StoreError;
use super::columns::json;

/// Digits behind the point that are kept.
const SCALE: u32 = 9;

/// What a transition changes of an account's month.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// Whose.
    pub account: Account,
    /// The month that it counts for: that in which the model was asked.
    pub month: Month,
    /// What may be spent.
    pub limits: Limits,
    /// What was used.
    pub uses: Option<Usage>,
    /// What a call that is about to be made may use up.
    pub reserves: Option<Usage>,
    /// What was reserved, and is free again.
    pub frees: Option<Usage>,
}

/// A budget does not allow a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the monthly budget of {account} does not allow another call of the model: with it, up to {exceeded} would be used until \
     {until}; {spent} spent so far, and {reserved} reserved by calls under way"
)]
pub struct OverBudget {
    account: String,
    exceeded: String,
    until: String,
    spent: String,
    reserved: String,
}

/// What an account has spent in a month, in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The account, as [`Account`] is displayed.
    pub account: String,
    /// The currency; empty: the price is not known.
    pub currency: String,
    /// Tokens read and written.
    pub tokens: u64,
    /// What they cost.
    pub cost: Option<Money>,
    /// Tokens reserved by calls under way.
    pub reserved_tokens: u64,
    /// What those may cost.
    pub reserved_cost: Option<Money>,
}

/// A part of [`super::Store`].
#[async_trait]
pub trait SpendingStore: Send + Sync + 'static {
    /// What the accounts of a tenant have spent in a month, by account and currency.
    async fn spent(&self, tenant: &TenantId, month: Month) -> Result<Vec<Spent>, StoreError>;

    /// Counts what belongs to no execution, or nothing of it. Nobody is told where a budget is nearly used: the next call of
    /// an execution tells of it.
    ///
    /// # Errors
    /// [`StoreError::OverBudget`] where the charge reserves more than its limits allow.
    async fn spend(&self, tenant: &TenantId, charge: Charge) -> Result<(), StoreError>;
}

/// A row of an account's month, or what is added to one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Row {
    pub(in crate::store) currency: String,
    pub(in crate::store) tokens: i64,
    pub(in crate::store) cost: i64,
    pub(in crate::store) reserved_tokens: i64,
    pub(in crate::store) reserved_cost: i64,
}

impl Row {
    fn money(&self, billionths: i64) -> Option<Money> {
        let amount = Decimal::from_i128_with_scale(i128::from(billionths.max(0)), SCALE).normalize();
        format!("{amount} {}", self.currency).parse().ok()
    }

    pub(in crate::store) fn spent(self, account: String) -> Spent {
        let tokens = |count: i64| u64::try_from(count).unwrap_or(0);
        Spent {
            tokens: tokens(self.tokens),
            cost: self.money(self.cost),
            reserved_tokens: tokens(self.reserved_tokens),
            reserved_cost: self.money(self.reserved_cost),
            account,
            currency: self.currency,
        }
    }

    fn add(&mut self, more: &Self) {
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.cost = self.cost.saturating_add(more.cost);
        self.reserved_tokens = self.reserved_tokens.saturating_add(more.reserved_tokens);
        self.reserved_cost = self.reserved_cost.saturating_add(more.reserved_cost);
    }
}

/// An account's month as it stands, in every currency.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Standing(pub(in crate::store) Vec<Row>);

/// What follows from a charge that is allowed.
#[derive(Debug, Default)]
pub(in crate::store) struct Charged {
    /// What is added to the rows, each currency once.
    pub(in crate::store) adds: Vec<Row>,
    /// The budget is nearly used: the limits as they are remembered, and the signal that tells of it, if they are new.
    pub(in crate::store) nearly: Option<(String, String)>,
}

impl Standing {
    /// With what earlier charges of the same transition add.
    pub(in crate::store) fn with<'r>(mut self, adds: impl IntoIterator<Item = &'r Row>) -> Self {
        adds.into_iter().for_each(|row| self.add(row));
        self
    }

    /// What a charge changes, or why it is not allowed.
    pub(in crate::store) fn charge(mut self, charge: &Charge) -> Result<Charged, StoreError> {
        let currency = charge.limits.max_cost.as_ref().map_or("", |max| max.currency()).to_owned();
        let adds = adds(charge);
        for add in adds.iter().filter(|_| charge.reserves.is_none()) {
            self.add(add);
        }
        if let Some(call) = &charge.reserves {
            let (spent, all) = (self.usage(&currency, false), self.usage(&currency, true));
            if let Some(exceeded) = charge.limits.refuse(call, &all) {
                return Err(self.refused(charge, exceeded, &spent, &currency).into());
            }
        }
        let used = self.usage(&currency, false);
        if charge.limits.is_empty() || charge.uses.is_none() || !charge.limits.is_nearly_used(&used) {
            return Ok(Charged { adds, nearly: None });
        }
        let limits = charge.limits.clone();
        let remembered = json("a budget", &limits)?;
        let nearly = NearlyUsed { account: charge.account.clone(), used, limits, until: charge.month.end() };
        let signal = json("a signal", &Signal::BudgetNearlyUsed { nearly: Box::new(nearly) })?;
        Ok(Charged { adds, nearly: Some((remembered, signal)) })
    }

    fn add(&mut self, more: &Row) {
        match self.0.iter_mut().find(|row| row.currency == more.currency) {
            Some(row) => row.add(more),
            None => self.0.push(more.clone()),
        }
    }

    /// Tokens of every currency, and the cost in this one.
    fn usage(&self, currency: &str, with_reserved: bool) -> Usage {
        let mut total = Row { currency: currency.to_owned(), ..Row::default() };
        for row in &self.0 {
            let reserved = |number: i64| if with_reserved { number } else { 0 };
            total.tokens = total.tokens.saturating_add(row.tokens).saturating_add(reserved(row.reserved_tokens));
            if row.currency == currency {
                total.cost = row.cost.saturating_add(reserved(row.reserved_cost));
            }
        }
        let cost = total.money(total.cost).filter(|_| !currency.is_empty()).map(|cost| cost.to_string());
        let tokens = u64::try_from(total.tokens).unwrap_or(0);
        // Which of them were read nobody asks any more.
        Usage { input_tokens: tokens, cost, ..Usage::default() }
    }

    fn refused(&self, charge: &Charge, exceeded: String, spent: &Usage, currency: &str) -> OverBudget {
        let reserved = self.0.iter().fold(Row { currency: currency.to_owned(), ..Row::default() }, |mut sum, row| {
            sum.reserved_tokens = sum.reserved_tokens.saturating_add(row.reserved_tokens);
            if row.currency == currency {
                sum.reserved_cost = row.reserved_cost;
            }
            sum
        });
        let words = |tokens: String, cost: Option<String>| match cost {
            Some(cost) => format!("{cost} ({tokens} tokens)"),
            None => format!("{tokens} tokens"),
        };
        let of_money = reserved.money(reserved.reserved_cost).filter(|_| !currency.is_empty());
        OverBudget {
            account: charge.account.words(),
            exceeded,
            until: charge.month.end().map_or_else(|| "the end of time".to_owned(), |end| end.to_string()),
            spent: words(spent.input_tokens.to_string(), spent.cost.clone()),
            reserved: words(reserved.reserved_tokens.max(0).to_string(), of_money.map(|money| money.to_string())),
        }
    }
}

/// What a charge adds, by currency.
fn adds(charge: &Charge) -> Vec<Row> {
    let mut rows = Standing::default();
    let parts = [(&charge.uses, 1, true), (&charge.reserves, 1, false), (&charge.frees, -1, false)];
    for (usage, sign, used) in parts {
        let Some(usage) = usage else { continue };
        let tokens = i64::try_from(usage.tokens()).unwrap_or(i64::MAX) * sign;
        let cost: Option<Money> = usage.cost.as_deref().and_then(|cost| cost.parse().ok());
        let currency = cost.as_ref().map_or_else(String::new, |cost| cost.currency().to_owned());
        let cost = cost.as_ref().map_or(0, billionths) * sign;
        rows.add(&match used {
            true => Row { currency, tokens, cost, ..Row::default() },
            false => Row { currency, reserved_tokens: tokens, reserved_cost: cost, ..Row::default() },
        });
    }
    rows.0
}

fn billionths(money: &Money) -> i64 {
    let scaled = money.amount().checked_mul(Decimal::from(10_i64.pow(SCALE)));
    scaled.and_then(|amount| amount.ceil().to_i64()).unwrap_or(i64::MAX)
}
