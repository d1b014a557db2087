//! Where branches stood, in SQL.

use sqlx::{PgConnection, Row};

use super::text::storable;
use crate::store::columns::{signed, unsigned};
use crate::store::{BranchKey, SeenHead, StoreError};

const SEEN: &str = "select head, moves from branches where tenant = $1 and repository = $2 and branch = $3";

pub(super) async fn seen(connection: &mut PgConnection, key: &BranchKey) -> Result<Option<SeenHead>, StoreError> {
    let BranchKey { tenant, repository, branch } = key;
    let query = sqlx::query(SEEN).bind(tenant.as_str()).bind(storable(repository)).bind(storable(branch));
    let Some(row) = query.fetch_optional(connection).await? else { return Ok(None) };
    Ok(Some(SeenHead { commit: row.try_get("head")?, moves: unsigned("a count", row.try_get("moves")?)? }))
}

const FIRST: &str = "
    insert into branches (tenant, repository, branch, head, moves) values ($1, $2, $3, $4, 0) on conflict do nothing";
const MOVE: &str = "
    update branches set head = $4, moves = moves + 1
    where tenant = $1 and repository = $2 and branch = $3 and moves = $5";

pub(super) async fn see(
    connection: &mut PgConnection,
    key: &BranchKey,
    stood: Option<&SeenHead>,
    commit: &str,
) -> Result<bool, StoreError> {
    let BranchKey { tenant, repository, branch } = key;
    let of =
        |sql| sqlx::query(sql).bind(tenant.as_str()).bind(storable(repository)).bind(storable(branch)).bind(commit);
    let query = match stood {
        None => of(FIRST),
        Some(stood) => of(MOVE).bind(signed("a count", stood.moves)?),
    };
    Ok(query.execute(connection).await?.rows_affected() == 1)
}
