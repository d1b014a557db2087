//! An MCP server that is a program of ours: started with an environment of its own, its errors written into our log, ended with
//! all that it started when nobody needs it any more.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::StepError;
use rmcp::RoleClient;
use rmcp::transport::async_rw::AsyncRwTransport;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::steps::secrets::Redaction;

/// What a program finds of our own environment: nothing of ours (`FLOWCTL_…`) and nothing that it does not need.
const INHERITED: [&str; 9] =
    ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"];
/// The longest message of a server, in bytes.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// The longest line of its errors that the log shows, in bytes.
const MAX_LINE: u64 = 4 * 1024;
/// How long is waited for a program that did not shake hands, to say how it ended.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(500);

/// A program. When this is dropped, it and all that it started are ended.
pub(super) struct Program {
    child: tokio::sync::Mutex<Child>,
    group: Option<Pid>,
    /// Where it runs: nowhere of ours, and nowhere where somebody else could lay something for it to find.
    _workplace: TempDir,
}

/// Starts a program and gives what to talk to it over.
pub(super) fn start(
    tool: &str,
    command: &[String],
    env: &[(String, String)],
    redaction: Arc<Redaction>,
) -> Result<(Program, AsyncRwTransport<RoleClient, ChildStdout, ChildStdin>), StepError> {
    let failed = |reason: String| {
        let program = command.first().map(String::as_str).unwrap_or_default();
        StepError::new(
            ErrorClass::Refused,
            format!("the program `{program}` of tool `{tool}` cannot be started: {reason}"),
        )
    };
    let (program, arguments) = command.split_first().ok_or_else(|| failed("`command` is empty".to_owned()))?;
    let program = found(program, std::env::var_os("PATH").as_deref())
        .ok_or_else(|| failed("there is no such program in PATH".to_owned()))?;
    let workplace =
        tempfile::Builder::new().prefix("flowctl-tool-").permissions(Permissions::from_mode(0o700)).tempdir();
    let workplace = workplace.map_err(|error| failed(format!("it cannot have a folder of its own: {error}")))?;
    let inherited = INHERITED.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(inherited)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir(workplace.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what it starts ends with it, and our Ctrl-C is not its.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(failed("it has no input or output".to_owned()));
    };
    tokio::spawn(log(tool.to_owned(), stderr, redaction));
    let transport = AsyncRwTransport::new(stdout, stdin).with_max_line_length(MAX_MESSAGE);
    Ok((Program { child: tokio::sync::Mutex::new(child), group, _workplace: workplace }, transport))
}

/// The program of this name in our own search path: a definition may give its program another one.
fn found(program: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let runs = |candidate: &PathBuf| {
        candidate.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path?).filter(|folder| folder.is_absolute()).map(|folder| folder.join(program)).find(runs)
}

impl Program {
    /// How it ended, where it did.
    pub(super) async fn ended(&self) -> Option<String> {
        let mut child = self.child.lock().await;
        let status = tokio::time::timeout(LAST_WORDS, child.wait()).await.ok()?.ok()?;
        Some(format!("the program ended with {status}; the log has what it said"))
    }

    /// Lets it end by itself (its input is closed by now), then has it ended.
    pub(super) async fn end(&self, patience: Duration) {
        let mut child = self.child.lock().await;
        if tokio::time::timeout(patience, child.wait()).await.is_err() {
            self.kill();
            let _ = tokio::time::timeout(patience, child.wait()).await;
        }
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that was waited for has no group any more, and its number may be somebody else's.
        if self.child.get_mut().id().is_some() {
            self.kill();
        }
    }
}

/// Writes what a program says beside the protocol into the log, line by line, without secrets.
async fn log(tool: String, stderr: impl AsyncRead + Unpin, redaction: Arc<Redaction>) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = redaction.text(text.trim_end());
                if !text.is_empty() {
                    tracing::info!(tool, "{text}");
                }
            }
        }
    }
}
