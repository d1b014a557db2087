//! Databases of a test's own on a PostgreSQL server, each there as long as its value. Starts no server.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// The variable that names the server. Tests that need it count as ignored without it; `tests/run` brings one.
const SERVER: &str = "FLOWCTL_TEST_POSTGRES_URL";

/// A database that is there as long as this.
#[derive(Debug)]
pub struct Database {
    server: PgConnectOptions,
    /// Its name.
    pub name: String,
    /// Its address, as `FLOWCTL_DATABASE_URL` takes it.
    pub url: String,
}

impl Database {
    /// A new one on the server of `FLOWCTL_TEST_POSTGRES_URL`.
    ///
    /// # Panics
    /// Where that is not set, or the server refuses.
    pub async fn of_tests() -> Self {
        Self::on(&std::env::var(SERVER).unwrap_or_else(|_| panic!("{SERVER} says where the server is"))).await
    }

    /// A new one on this server, whose address names any database of it.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn on(server: &str) -> Self {
        let name = format!("flowctl_test_{}", uuid::Uuid::now_v7().simple());
        let mut url = url::Url::parse(server).unwrap();
        url.set_path(&name);
        let server = PgConnectOptions::from_str(server).unwrap();
        let database = Self { server, name, url: url.into() };
        database.on_server(&format!("create database {}", database.name)).await;
        database
    }

    /// Has the server do something, on a connection beside this database.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn on_server(&self, statement: &str) {
        let mut connection = self.server.connect().await.unwrap();
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, statement) = (self.server.clone(), format!("drop database if exists {} with (force)", self.name));
        let dropping = async move {
            let mut connection = server.connect().await?;
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.map(drop)
        };
        let dropped = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(dropping)
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("{} is left behind: {error}", self.name);
        }
    }
}
