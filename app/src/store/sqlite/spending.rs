//! What accounts have spent, in SQL.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use flowctl_core::execution::budget::Month;
use rusqlite::{Connection, params};
use sqlx::Row as _;

use super::SqliteStore;
use super::columns::{all, execute};
use super::signals;
use super::writer::Hint;
use crate::store::spending::{Charged, Row, Standing};
use crate::store::{Charge, SpendingStore, Spent, StoreError, Transition};

const STANDING: &str = "
    select currency, tokens, cost, reserved_tokens, reserved_cost from spending
    where tenant = ?1 and month = ?2 and account = ?3";
const ADD: &str = "
    insert into spending (tenant, month, account, currency, tokens, cost, reserved_tokens, reserved_cost)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    on conflict (tenant, month, account, currency) do update set
      tokens = tokens + excluded.tokens, cost = cost + excluded.cost,
      reserved_tokens = reserved_tokens + excluded.reserved_tokens,
      reserved_cost = reserved_cost + excluded.reserved_cost";
const ALERT: &str = "
    insert into budget_alerts (tenant, month, account, limits) values (?1, ?2, ?3, ?4) on conflict do nothing";
const SPENT: &str = "
    select account, currency, tokens, cost, reserved_tokens, reserved_cost from spending
    where tenant = ?1 and month = ?2 order by account, currency";

/// Adds what a transition uses and reserves, and tells its execution of budgets that are nearly used.
pub(super) fn charge(connection: &Connection, transition: &Transition, id: &str, at: i64) -> Result<(), StoreError> {
    let tenant = transition.tenant.as_str();
    for charge in &transition.charges {
        let (month, account) = (charge.month.to_string(), charge.account.to_string());
        if let Some((limits, signal)) = add(connection, tenant, charge)?
            && execute(connection, ALERT, params![tenant, month, account, limits])? == 1
        {
            signals::tell(connection, tenant, id, &signal, at)?;
        }
    }
    Ok(())
}

/// Adds what a charge changes; what is to be remembered and told where its budget is nearly used.
fn add(connection: &Connection, tenant: &str, charge: &Charge) -> Result<Option<(String, String)>, StoreError> {
    let (month, account) = (charge.month.to_string(), charge.account.to_string());
    let rows = all(connection, STANDING, params![tenant, month, account], |row| {
        Ok(Row {
            currency: row.get(0)?,
            tokens: row.get(1)?,
            cost: row.get(2)?,
            reserved_tokens: row.get(3)?,
            reserved_cost: row.get(4)?,
        })
    })?;
    let Charged { adds, nearly } = Standing(rows).charge(charge)?;
    for Row { currency, tokens, cost, reserved_tokens, reserved_cost } in adds {
        let values = params![tenant, month, account, currency, tokens, cost, reserved_tokens, reserved_cost];
        execute(connection, ADD, values)?;
    }
    Ok(nearly)
}

#[async_trait]
impl SpendingStore for SqliteStore {
    async fn spent(&self, tenant: &TenantId, month: Month) -> Result<Vec<Spent>, StoreError> {
        let query = sqlx::query(SPENT).bind(tenant.as_str()).bind(month.to_string());
        let rows = query.fetch_all(&self.readers).await?;
        let spent = |row: &sqlx::sqlite::SqliteRow| {
            let counted = Row {
                currency: row.try_get("currency")?,
                tokens: row.try_get("tokens")?,
                cost: row.try_get("cost")?,
                reserved_tokens: row.try_get("reserved_tokens")?,
                reserved_cost: row.try_get("reserved_cost")?,
            };
            Ok(counted.spent(row.try_get("account")?))
        };
        rows.iter().map(spent).collect()
    }

    async fn spend(&self, tenant: &TenantId, charge: Charge) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.writer.write(Hint::Quiet, move |connection| add(connection, tenant.as_str(), &charge).map(drop)).await
    }
}
