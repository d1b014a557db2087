//! What stands on GitHub, in SQL.

use flowctl_core::execution::{ExecutionId, TenantId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::store::columns::{signed, small, unsigned};
use crate::store::{CheckRunRow, GitHubObject, GitHubObjects, StoreError};

const COMMENT: &str = "
    select comment_id, rendered_version from github_comments where tenant = $1 and execution = $2";
const CHECK_RUNS: &str = "
    select seq, id, head_sha, status, conclusion, rendered_version from github_check_runs
    where tenant = $1 and execution = $2 order by seq";

pub(super) async fn of(
    connection: &mut PgConnection,
    tenant: &TenantId,
    execution: ExecutionId,
) -> Result<GitHubObjects, StoreError> {
    let of = |sql| sqlx::query(sql).bind(tenant.as_str()).bind(execution);
    let comment = of(COMMENT).fetch_optional(&mut *connection).await?;
    let mut objects = GitHubObjects::default();
    if let Some(row) = comment {
        objects.comment_id = Some(unsigned("a comment's id", row.try_get("comment_id")?)?);
        objects.rendered_version = unsigned("a version", row.try_get("rendered_version")?)?;
    }
    let rows = of(CHECK_RUNS).fetch_all(connection).await?;
    objects.check_runs = rows.iter().map(check_run).collect::<Result<_, _>>()?;
    Ok(objects)
}

fn check_run(row: &PgRow) -> Result<CheckRunRow, StoreError> {
    Ok(CheckRunRow {
        id: unsigned("a check run's id", row.try_get("id")?)?,
        head_sha: row.try_get("head_sha")?,
        status: row.try_get("status")?,
        conclusion: row.try_get("conclusion")?,
        seq: small("a place", row.try_get("seq")?)?,
        rendered_version: unsigned("a version", row.try_get("rendered_version")?)?,
    })
}

const SAVE_COMMENT: &str = "
    insert into github_comments (tenant, execution, comment_id, rendered_version) values ($1, $2, $3, $4)
    on conflict (tenant, execution) do update
      set comment_id = excluded.comment_id, rendered_version = excluded.rendered_version";
const SAVE_CHECK_RUN: &str = "
    insert into github_check_runs (tenant, execution, seq, id, head_sha, status, conclusion, rendered_version)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant, execution, seq) do update
      set id = excluded.id, head_sha = excluded.head_sha, status = excluded.status,
        conclusion = excluded.conclusion, rendered_version = excluded.rendered_version";

pub(super) async fn save(
    connection: &mut PgConnection,
    tenant: &TenantId,
    execution: ExecutionId,
    object: &GitHubObject,
) -> Result<(), StoreError> {
    let of = |sql| sqlx::query(sql).bind(tenant.as_str()).bind(execution);
    let query = match object {
        GitHubObject::Comment { id, rendered_version } => {
            of(SAVE_COMMENT).bind(signed("the comment's id", *id)?).bind(signed("the version", *rendered_version)?)
        }
        GitHubObject::CheckRun(run) => of(SAVE_CHECK_RUN)
            .bind(i64::from(run.seq))
            .bind(signed("the check run's id", run.id)?)
            .bind(&run.head_sha)
            .bind(&run.status)
            .bind(&run.conclusion)
            .bind(signed("the version", run.rendered_version)?),
    };
    query.execute(connection).await?;
    Ok(())
}
