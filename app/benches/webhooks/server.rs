//! The side that is measured: the whole server as `flowctl serve` runs it, in a process of its own, so that its memory
//! and its time are its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use flowctl_app::server::Server;
use flowctl_app::settings::Settings;
use flowctl_app::steps::Performers;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::Failure;

/// What deliveries are signed with.
pub const SECRET: &str = "It's a Secret to Everybody";

/// A server in another process; it ends with this value.
pub struct Serving {
    pub address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Serving {
    pub fn start(database_url: Option<&str>) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--child").arg(folder.path()).stdout(Stdio::piped());
        if let Some(url) = database_url {
            command.args(["--database-url", url]);
        }
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or("the server has no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_| "the server does not start")?;
        Ok(Self { address, child, folder })
    }

    /// What it holds in memory.
    pub fn memory_mib(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(resident.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
    }

    /// How many deliveries with ids that begin so are in its inbox.
    pub async fn stored(&self, database_url: Option<&str>, beginning: &str) -> Result<u64, Failure> {
        let query = "select count(*) from deliveries where id like $1";
        let pattern = format!("{beginning}%");
        let count: i64 = match database_url {
            Some(url) if url.starts_with("postgres") => {
                let database = sqlx::PgPool::connect(url).await?;
                sqlx::query_scalar(query).bind(pattern).fetch_one(&database).await?
            }
            _ => {
                let file = self.folder.path().join("flowctl.db");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).read_only(true);
                let database = sqlx::SqlitePool::connect_with(options).await?;
                sqlx::query_scalar(query).bind(pattern).fetch_one(&database).await?
            }
        };
        Ok(u64::try_from(count)?)
    }

    /// What it has computed so far: user and system time, in ticks of a hundredth of a second (proc(5)).
    pub fn cpu_seconds(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, after) = stat.rsplit_once(')').ok_or("no stat")?;
        let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(ticks as f64 / 100.0)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other process: serves, and says where.
pub async fn serve(folder: &Path, database_url: Option<&str>) -> Result<(), Failure> {
    // Nobody listens there: no delivery of this measurement asks GitHub anything.
    let nowhere = "http://127.0.0.1:9";
    let mut environment = vec![
        ("FLOWCTL_LISTEN", "127.0.0.1:0".to_owned()),
        ("FLOWCTL_DATA_DIR", folder.display().to_string()),
        ("FLOWCTL_GITHUB_API_URL", nowhere.to_owned()),
        ("FLOWCTL_GITHUB_URL", nowhere.to_owned()),
        ("FLOWCTL_GITHUB_APP_ID", "1".to_owned()),
        ("FLOWCTL_GITHUB_PRIVATE_KEY", include_str!("../../src/github/client/testdata/app-key.pem").to_owned()),
        ("FLOWCTL_GITHUB_WEBHOOK_SECRET", SECRET.to_owned()),
    ];
    environment.extend(database_url.map(|url| ("FLOWCTL_DATABASE_URL", url.to_owned())));
    let (settings, _) = Settings::load(None, environment.into_iter().map(|(name, value)| (name.to_owned(), value)))?;
    let server = Server::bind(settings, Performers::default()).await?;
    println!("{}", server.settings().listen);
    server.run(CancellationToken::new()).await?;
    Ok(())
}
