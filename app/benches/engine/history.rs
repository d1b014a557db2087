//! Lays many executions into a database at once: copies of one that the engine has made, with ids of their own.

use std::fs::File;
use std::path::Path;

use flowctl_core::execution::ExecutionId;
use rusqlite::{Connection, params};
use sqlx::{Connection as _, PgConnection};

use crate::Failure;

/// SQLite: copies by SQL; a copy's id is older than any that is made now, and keeps the form of a UUIDv7.
const COPY: &str = "
    create temp table copies as
      with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ?2)
      select n, (select max(position) from executions) + n as position, printf('01900000-%04x-7%03x-8000-%012x',
        (n >> 12) & 65535, n & 4095, n) as id
      from numbers;";
const EXECUTIONS: &str = "
    insert into executions
      (position, tenant, id, version, repository, process, status, open, number, start_key, concurrency_group,
       created_at, ended_at, wake_at, last_seq, base_bytes, tail_bytes)
    select copies.position, tenant, copies.id, version, repository, process, status, open, number, null, null,
      created_at, ended_at, wake_at, last_seq, base_bytes, tail_bytes
    from copies cross join executions where executions.id = ?1 order by copies.n";
const SNAPSHOTS: &str = "
    insert into snapshots (execution, seq, state)
    select copies.position, seq, replace(state, ?1, copies.id)
    from copies cross join snapshots
    where execution = (select position from executions where id = ?1) order by copies.n";
const EVENTS: &str = "
    insert into events (execution, seq, delivery, events)
    select copies.position, seq, delivery, replace(events, ?1, copies.id)
    from copies cross join events
    where execution = (select position from executions where id = ?1) order by copies.n, seq";

pub fn lay_in_sqlite(database: &Path, template: ExecutionId, count: usize) -> Result<(), Failure> {
    let connection = Connection::open(database)?;
    connection.pragma_update(None, "synchronous", "off")?;
    connection.pragma_update(None, "cache_size", -256 * 1024)?;
    let id = template.to_string();
    // So many at a time that what is written stays in memory.
    connection.execute_batch("begin immediate")?;
    connection.execute(&COPY.replace("?2", &count.to_string()), [])?;
    for statement in [EXECUTIONS, SNAPSHOTS, EVENTS] {
        connection.execute(statement, params![id])?;
    }
    connection.execute_batch("commit; pragma wal_checkpoint(truncate); analyze;")?;
    // What is measured next waits for nothing that the system still has to write.
    Ok(File::open(database)?.sync_all()?)
}

/// PostgreSQL: the same.
const COPIES: &str = "
    create temp table copies as
      select n, (nextval(pg_get_serial_sequence('executions', 'position'))) as position,
        ('01900000-' || lpad(to_hex((n >> 12) & 65535), 4, '0') || '-7' || lpad(to_hex(n & 4095), 3, '0')
          || '-8000-' || lpad(to_hex(n), 12, '0')) as id
      from generate_series(1, $1::bigint) as numbers(n)";
const INTO_POSTGRES: [&str; 3] = [
    "insert into executions
       (position, tenant, id, version, repository, process, status, open, number, start_key, concurrency_group,
        created_at, ended_at, wake_at, last_seq, base_bytes, tail_bytes)
     select copies.position, tenant, copies.id::uuid, version, repository, process, status, open, number, null, null,
       created_at, ended_at, wake_at, last_seq, base_bytes, tail_bytes
     from copies cross join executions where executions.id = $1 order by copies.n",
    "insert into snapshots (execution, seq, state)
     select copies.position, seq, replace(state, $1::text, copies.id)
     from copies cross join snapshots
     where execution = (select position from executions where id = $1) order by copies.n",
    "insert into events (execution, seq, delivery, events)
     select copies.position, seq, delivery, replace(events, $1::text, copies.id)
     from copies cross join events
     where execution = (select position from executions where id = $1) order by copies.n, seq",
];

pub async fn lay_in_postgres(
    connection: &mut PgConnection,
    template: ExecutionId,
    count: usize,
) -> Result<(), Failure> {
    let mut transaction = connection.begin().await?;
    sqlx::query(COPIES).bind(i64::try_from(count)?).execute(&mut *transaction).await?;
    for statement in INTO_POSTGRES {
        sqlx::query(statement).bind(template).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    sqlx::query("analyze").execute(&mut *connection).await?;
    // As on SQLite, where this user may.
    let _ = sqlx::query("checkpoint").execute(connection).await;
    Ok(())
}
