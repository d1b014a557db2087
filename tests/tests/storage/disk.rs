//! A disk that fails when it is told to: `disk.c`, compiled and put before the C library of the server under test. And a
//! small file system of memory, where this is root and may mount.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The disk below a server's data.
pub struct Disk {
    folder: TempDir,
    /// What is below it may fail.
    data: PathBuf,
}

impl Disk {
    /// One that holds this folder.
    pub fn of(data: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/storage/disk.c");
        let library = folder.path().join("disk.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(source).arg("-ldl");
        let compiled = compiler.output().unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { folder, data: data.to_owned() }
    }

    /// The settings that put a server on it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.file("disk.so").display().to_string()),
            ("DISK_FAULTS", self.folder.path().display().to_string()),
            ("DISK_FOLDER", self.data.display().to_string()),
        ]
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// From here on nothing has room, or everything again.
    pub fn fill(&self, full: bool) {
        if full {
            std::fs::write(self.file("full"), "").unwrap();
        } else {
            std::fs::remove_file(self.file("full")).unwrap();
        }
    }

    /// The next sync of a file whose path ends so fails.
    pub fn fail_to_sync(&self, ending: &str) {
        // It is there as a whole or not at all.
        std::fs::write(self.file("sync.new"), ending).unwrap();
        std::fs::rename(self.file("sync.new"), self.file("sync")).unwrap();
    }

    /// Each sync so far: how it ended, and of which file.
    pub fn syncs(&self) -> Vec<(String, String)> {
        let lines = std::fs::read_to_string(self.file("syncs")).unwrap();
        lines
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(end, path)| (end.to_owned(), path.to_owned()))
            .collect()
    }
}

/// A file system in memory with room for so much, as long as this.
pub struct Small {
    folder: TempDir,
}

impl Small {
    /// Nothing where this may not mount.
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left; gives the file that takes it.
    pub fn fill(&self) -> PathBuf {
        use std::io::Write;
        let ballast = self.path().join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let piece = vec![b'x'; size];
            while file.write_all(&piece).is_ok() {}
        }
        ballast
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.folder.path().display());
        }
    }
}
