//! A PostgreSQL server of one test's own, which can be restarted without disturbing others.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowctl_tests::free_address;
use tempfile::TempDir;

/// A server in a temporary folder, on 127.0.0.1, ended with this.
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes and starts it.
    pub fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_address().port());
        let cluster = Self { folder, programs: programs(), port };
        if is_root(cluster.folder.path()) {
            let owned = Command::new("chown").arg("nobody").arg(cluster.folder.path()).status().unwrap();
            assert!(owned.success());
        }
        cluster.run("initdb", &["-U", "flowctl", "--auth=trust", "-E", "UTF8", "--locale=C"]);
        cluster.pg_ctl("start", &[]);
        cluster
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("postgres://flowctl@127.0.0.1:{}/postgres", self.port)
    }

    /// Restarts it: `fast` in order, `immediate` as if it was killed.
    pub fn restart(&self, mode: &str) {
        self.pg_ctl("restart", &["-m", mode]);
    }

    fn pg_ctl(&self, what: &str, more: &[&str]) {
        let folder = self.folder.path().display();
        let log = format!("{folder}/log");
        let options = format!("-c listen_addresses=127.0.0.1 -p {} -k {folder}", self.port);
        let mut arguments = vec!["-w", "-l", &log, "-o", &options];
        arguments.extend(more);
        arguments.push(what);
        self.run("pg_ctl", &arguments);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let ran = self.command(program).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// A program on the data, as somebody else where this is root: PostgreSQL refuses to run as that.
    fn command(&self, program: &str) -> Command {
        let (path, data) = (self.programs.join(program), self.folder.path().join("data"));
        let mut command = if is_root(Path::new("/proc/self")) {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        // A server that goes on must not hold the test's pipes open.
        command.arg("-D").arg(data).current_dir(self.folder.path()).stdin(std::process::Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let ended = self.command("pg_ctl").args(["-m", "immediate", "-w", "stop"]).output();
        if !ended.is_ok_and(|ended| ended.status.success()) {
            eprintln!("the server on port {} goes on", self.port);
        }
    }
}

fn is_root(path: &Path) -> bool {
    std::fs::metadata(path).unwrap().uid() == 0
}

/// Where PostgreSQL's programs are: beside `initdb` on the path, or where Debian puts them.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        std::env::split_paths(&path).map(|folder| folder.join("initdb")).find_map(|it| it.canonicalize().ok());
    let debian = std::fs::read_dir("/usr/lib/postgresql").ok().and_then(|versions| {
        let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
        folders.filter(|folder| folder.join("initdb").exists()).max()
    });
    let beside = on_path.and_then(|initdb| Some(initdb.parent()?.to_owned()));
    let found = beside.filter(|folder| folder.join("pg_ctl").exists()).or(debian);
    found.unwrap_or_else(|| panic!("PostgreSQL's programs are not installed"))
}
