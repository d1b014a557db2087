//! Where branches stood, in SQL.

use rusqlite::{Connection, params};
use sqlx::{Row, SqlitePool};

use super::columns::{execute, signed, unsigned};
use crate::store::{BranchKey, SeenHead, StoreError};

const SEEN: &str = "select head, moves from branches where tenant = $1 and repository = $2 and branch = $3";

pub(super) async fn seen(readers: &SqlitePool, key: &BranchKey) -> Result<Option<SeenHead>, StoreError> {
    let query = sqlx::query(SEEN).bind(key.tenant.as_str()).bind(&key.repository).bind(&key.branch);
    let Some(row) = query.fetch_optional(readers).await? else { return Ok(None) };
    Ok(Some(SeenHead { commit: row.try_get("head")?, moves: unsigned("a count", row.try_get("moves")?)? }))
}

const FIRST: &str = "
    insert into branches (tenant, repository, branch, head, moves) values (?1, ?2, ?3, ?4, 0) on conflict do nothing";
const MOVE: &str = "
    update branches set head = ?4, moves = moves + 1
    where tenant = ?1 and repository = ?2 and branch = ?3 and moves = ?5";

pub(super) fn see(
    connection: &Connection,
    key: &BranchKey,
    stood: Option<&SeenHead>,
    commit: &str,
) -> Result<bool, StoreError> {
    let BranchKey { tenant, repository, branch } = key;
    let changed = match stood {
        None => execute(connection, FIRST, params![tenant.as_str(), repository, branch, commit])?,
        Some(stood) => {
            let moves = signed("a count", stood.moves)?;
            execute(connection, MOVE, params![tenant.as_str(), repository, branch, commit, moves])?
        }
    };
    Ok(changed == 1)
}
