//! The real program as a server of its own, which can be killed at any instant and started again.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The program under test: `FLOWCTL_BINARY`, or the one that cargo built beside this test.
///
/// # Panics
/// Where it has not been built.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("FLOWCTL_BINARY") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("flowctl");
    assert!(built.exists(), "build it first: cargo build -p flowctl ({} is not there)", built.display());
    built
}

/// An address on this machine that nobody listens on.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// `flowctl serve`, under way.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts it with these settings and waits until it is ready.
    ///
    /// # Panics
    /// Where it ends instead.
    pub fn start(settings: &[(&str, String)], data: &Path, address: SocketAddr) -> Self {
        Self::start_with(&[], settings, data, address)
    }

    /// The same with arguments of `serve`.
    ///
    /// # Panics
    /// Where it ends instead.
    pub fn start_with(arguments: &[&str], settings: &[(&str, String)], data: &Path, address: SocketAddr) -> Self {
        let mut server = Self::spawn_with(arguments, settings, data, address);
        let began = Instant::now();
        while !server.is_ready() {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended at once: {ended:?}\n{}", server.log());
            assert!(began.elapsed() < Duration::from_secs(60), "the server is not ready\n{}", server.log());
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// Starts it with these settings and waits for nothing: for a server that is to die early.
    pub fn spawn(settings: &[(&str, String)], data: &Path, address: SocketAddr) -> Self {
        Self::spawn_with(&[], settings, data, address)
    }

    fn spawn_with(arguments: &[&str], settings: &[(&str, String)], data: &Path, address: SocketAddr) -> Self {
        let mut command = Command::new(program());
        command
            .arg("serve")
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.env("FLOWCTL_LISTEN", address.to_string()).env("FLOWCTL_DATA_DIR", data);
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&log));
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, address, log }
    }

    fn is_ready(&self) -> bool {
        use std::io::{Read, Write};
        let Ok(mut stream) = std::net::TcpStream::connect(self.address) else { return false };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Asks it to end, as systemd and Kubernetes do, and gives its exit code; that of one that has ended by itself too.
    ///
    /// # Panics
    /// Where it does not end within 30 seconds.
    pub fn stop(&mut self) -> Option<i32> {
        if let Some(status) = self.child.try_wait().unwrap() {
            return status.code();
        }
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < Duration::from_secs(30), "the server does not end\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
