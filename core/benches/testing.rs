//! How fast `flowctl test` plays cases: those of the sample repositories, again and again. Prints one JSON line a figure.
//!
//! `cargo bench -p flowctl-core --bench testing`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flowctl_core::definition::repository::Repository;
use flowctl_core::simulation::Suite;
use flowctl_core::validate::{Options, validate};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long is played.
const LONG: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/repositories");
    let mut all: (usize, Duration) = (0, Duration::ZERO);
    let mut folders: Vec<PathBuf> =
        fs::read_dir(samples)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    folders.sort();
    for folder in folders {
        let mut files = Vec::new();
        read(&folder, &folder.join(".flow"), &mut files)?;
        let repository = Repository::read(files);
        let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
        let suite = Suite::of(&repository, &report, |_| true, |_, _| true);
        if suite.is_empty() {
            continue;
        }
        let start = Instant::now();
        let mut played = 0;
        while start.elapsed() < LONG {
            let cases = suite.play();
            if cases.iter().flatten().any(|case| !case.passes()) {
                return Err(format!("a case of {} fails", folder.display()).into());
            }
            played += cases.iter().map(Vec::len).sum::<usize>();
        }
        let took = start.elapsed();
        print(played, took, &folder.file_name().unwrap_or_default().to_string_lossy());
        all = (all.0 + played, all.1 + took);
    }
    print(all.0, all.1, "all samples");
    Ok(())
}

fn print(cases: usize, took: Duration, of: &str) {
    let a_second = (cases as f64 / took.as_secs_f64()).round();
    println!("{}", json!({"figure": "cases_per_s", "value": a_second, "of": of}));
}

fn read(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> Result<(), std::io::Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.push((name, fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
