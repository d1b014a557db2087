//! What waits in the server's outbox: looked at in its database, and hastened there while the server is down.

use std::time::Duration;

use crate::stage::{PATIENCE, Stage};

/// An effect that nobody is telling at this moment.
#[derive(Debug)]
pub struct Queued {
    /// How often it was claimed.
    pub claims: i64,
    /// In how many minutes it is told, rounded up.
    pub minutes: i64,
}

impl Stage {
    async fn database(&self, to_read: bool) -> sqlx::SqlitePool {
        let file = self.data.path().join("flowctl.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).read_only(to_read);
        sqlx::SqlitePool::connect_with(options).await.unwrap()
    }

    async fn queued(&self, key: &str) -> Option<Queued> {
        let database = self.database(true).await;
        let query = "select claims, max(not_before, retry_at) from effects
                     where key = $1 and status = 'pending' and lease_owner is null";
        let row: Option<(i64, i64)> = sqlx::query_as(query).bind(key).fetch_optional(&database).await.unwrap();
        database.close().await;
        let now = jiff::Timestamp::now().as_second();
        row.map(|(claims, at)| Queued { claims, minutes: (at / 1_000_000 - now + 59) / 60 })
    }

    /// The effect with this key, once it waits after so many claims.
    pub async fn until_queued(&self, key: &str, claims: i64) -> Queued {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = self.queued(key).await.filter(|found| found.claims >= claims) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("{key} does not wait after {claims} claims"))
    }

    /// Waits until nothing with this key is to be told.
    pub async fn until_nothing_is_queued(&self, key: &str) {
        let none = tokio::time::timeout(PATIENCE, async {
            let database = self.database(true).await;
            let query = "select count(*) from effects where key = $1";
            while sqlx::query_scalar::<_, i64>(query).bind(key).fetch_one(&database).await.unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            database.close().await;
        });
        none.await.unwrap_or_else(|_| panic!("{key} is not told"));
    }

    /// Waits until what was to be told under this key is given up.
    pub async fn until_given_up(&self, key: &str) {
        let given_up = tokio::time::timeout(PATIENCE, async {
            let database = self.database(true).await;
            let query = "select count(*) from effects where key = $1 and status = 'failed'";
            while sqlx::query_scalar::<_, i64>(query).bind(key).fetch_one(&database).await.unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            database.close().await;
        });
        given_up.await.unwrap_or_else(|_| panic!("{key} is not given up"));
    }

    /// While the server is down, a word about several executions is recorded of the first one, as by a server that died then.
    pub async fn was_recorded_of_the_first(&self, word: &str, step: &str) {
        let database = self.database(false).await;
        let recorded = "insert into words (tenant, word, execution)
                        select tenant, $1 || ':' || id || ':' || $2, id from executions order by id limit 1";
        let recorded = sqlx::query(recorded).bind(word).bind(step).execute(&database).await.unwrap();
        assert_eq!(recorded.rows_affected(), 1);
        database.close().await;
    }

    /// While the server is down, minutes pass in which the reference of the audit log could not be moved.
    pub async fn minutes_pass_with_it_busy(&self) {
        let database = self.database(false).await;
        let busy = "update standings set state = json_set(state, '$.busy_since', '2026-01-01T00:00:00Z')
                    where name like 'audit-ref:%' and json_extract(state, '$.busy_since') is not null";
        assert_eq!(sqlx::query(busy).execute(&database).await.unwrap().rows_affected(), 1);
        database.close().await;
    }

    /// While the server is down, an hour passes for what was put off and for what GitHub has refused.
    pub async fn an_hour_passes(&self) {
        self.time_for_what_was_put_off().await;
        let database = self.database(false).await;
        let refused = "update standings set state = json_set(state, '$.refused.at', '2026-01-01T00:00:00Z')
                       where name like 'audit-ref:%' and json_extract(state, '$.refused.at') is not null";
        sqlx::query(refused).execute(&database).await.unwrap();
        database.close().await;
    }
}
