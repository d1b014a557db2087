//! What accounts have spent, in SQL. Whoever charges an account has its turn: what is read stands until the transaction ends.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use flowctl_core::execution::budget::{Account, Month};
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::payloads::tenant_text;
use super::prepared::Prepared;
use super::signals::lock_turns;
use super::text::storable;
use super::{PostgresStore, is_lost, once, read};
use crate::store::spending::{Charged, Row, Standing};
use crate::store::{Charge, SpendingStore, Spent, StoreError};

const STANDING: &str = "
    select currency, tokens, cost, reserved_tokens, reserved_cost from spending
    where tenant = $1 and month = $2 and account = $3";
const ADD: &str = "
    insert into spending (tenant, month, account, currency, tokens, cost, reserved_tokens, reserved_cost)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant, month, account, currency) do update set
      tokens = spending.tokens + excluded.tokens, cost = spending.cost + excluded.cost,
      reserved_tokens = spending.reserved_tokens + excluded.reserved_tokens,
      reserved_cost = spending.reserved_cost + excluded.reserved_cost";
const ALERT: &str = "
    insert into budget_alerts (tenant, month, account, limits) values ($1, $2, $3, $4) on conflict do nothing";
const TELL: &str = "insert into signals (tenant, execution, signal, not_before) values ($1, $2, $3, $4)";
const SPENT: &str = "
    select account, currency, tokens, cost, reserved_tokens, reserved_cost from spending
    where tenant = $1 and month = $2 order by account, currency";

/// The turn of those who charge an account.
pub(super) fn turn_of(account: &Account) -> String {
    storable(&format!("spending:{account}")).into_owned()
}

/// Adds what a part uses and reserves, all of it or nothing, and tells its execution of budgets that are nearly used.
pub(super) async fn charge(connection: &mut PgConnection, part: &Prepared) -> Result<(), StoreError> {
    let mut allowed: Vec<(&Charge, Charged)> = Vec::new();
    for charge in &part.transition.charges {
        // What is freed of an account counts before something is reserved of it.
        let earlier =
            allowed.iter().filter(|(other, _)| (&other.account, other.month) == (&charge.account, charge.month));
        let earlier = earlier.flat_map(|(_, charged)| &charged.adds);
        let standing = standing(connection, &part.tenant, charge).await?.with(earlier);
        allowed.push((charge, standing.charge(charge)?));
    }
    for (charge, Charged { adds, nearly }) in allowed {
        add(connection, &part.tenant, charge, adds).await?;
        let Some((limits, signal)) = nearly else { continue };
        let (month, account) = (charge.month.to_string(), name(charge));
        let alert = sqlx::query(ALERT).bind(&part.tenant).bind(&month).bind(&account).bind(limits);
        if alert.execute(&mut *connection).await?.rows_affected() == 1 {
            let id = part.transition.execution.id;
            sqlx::query(TELL)
                .bind(&part.tenant)
                .bind(id)
                .bind(signal)
                .bind(part.at())
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

fn name(charge: &Charge) -> String {
    storable(&charge.account.to_string()).into_owned()
}

/// Adds rows to an account's month.
async fn add(connection: &mut PgConnection, tenant: &str, charge: &Charge, adds: Vec<Row>) -> Result<(), StoreError> {
    let (month, account) = (charge.month.to_string(), name(charge));
    for row in adds {
        let query = sqlx::query(ADD).bind(tenant).bind(&month).bind(&account).bind(row.currency);
        let query = query.bind(row.tokens).bind(row.cost).bind(row.reserved_tokens).bind(row.reserved_cost);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Counts what belongs to no execution.
async fn spend(connection: &mut PgConnection, tenant: &TenantId, charge: &Charge) -> Result<(), StoreError> {
    let tenant = tenant_text(tenant);
    let mut transaction = connection.begin().await?;
    lock_turns(&mut transaction, vec![tenant.clone()], vec![turn_of(&charge.account)]).await?;
    let charged = standing(&mut transaction, &tenant, charge).await?.charge(charge)?;
    add(&mut transaction, &tenant, charge, charged.adds).await?;
    Ok(transaction.commit().await?)
}

async fn standing(connection: &mut PgConnection, tenant: &str, charge: &Charge) -> Result<Standing, StoreError> {
    let query = sqlx::query(STANDING).bind(tenant).bind(charge.month.to_string()).bind(name(charge));
    let rows = query.fetch_all(connection).await?;
    Ok(Standing(rows.iter().map(counted).collect::<Result<_, _>>()?))
}

fn counted(row: &PgRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        currency: row.try_get("currency")?,
        tokens: row.try_get("tokens")?,
        cost: row.try_get("cost")?,
        reserved_tokens: row.try_get("reserved_tokens")?,
        reserved_cost: row.try_get("reserved_cost")?,
    })
}

async fn spent(connection: &mut PgConnection, tenant: &TenantId, month: Month) -> Result<Vec<Spent>, StoreError> {
    let query = sqlx::query(SPENT).bind(storable(tenant.as_str())).bind(month.to_string());
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok(counted(row)?.spent(row.try_get("account")?))).collect()
}

#[async_trait]
impl SpendingStore for PostgresStore {
    async fn spent(&self, tenant: &TenantId, month: Month) -> Result<Vec<Spent>, StoreError> {
        read!(self, connection => spent(connection, tenant, month))
    }

    async fn spend(&self, tenant: &TenantId, charge: Charge) -> Result<(), StoreError> {
        once!(self, connection => spend(connection, tenant, &charge))
    }
}
