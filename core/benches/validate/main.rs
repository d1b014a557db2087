//! How fast definitions are read and judged, every rule on. Prints one JSON line a figure; figures of one run can be
//! compared, those of two machines cannot. `raw_parse_ms_per_file` is the floor: the parser's events over the same
//! bytes, nothing kept.
//!
//! `cargo bench -p flowctl-core --bench validate -- [DIR]`
//!
//! DIR: a folder with a `.flow/` to measure instead of the generated definitions. `--corpus DIR` writes those, so that
//! other programs can be measured on the same bytes. `--hostile [NAME]` measures files that try to cost more than they
//! weigh, each in a process of its own, or one of them; it fails where one takes more than 5 s or 500 MiB.

mod corpus;
mod hostile;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowctl_core::definition::repository::Repository;
use flowctl_core::validate::{Options, Texts, validate_texts};
use granit_parser::{Event, Parser};
use serde_json::{Value, json};

/// The program's own: what is measured here is what people run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;
type Files = Vec<(String, String)>;

/// How many definitions the figures of CONTRACT are about.
const FILES: usize = 1_000;
/// Each figure is the median of so many runs.
const RUNS: usize = 5;
/// What a hostile file may take at most.
const MOST_MILLISECONDS: f64 = 5_000.0;
const MOST_MEBIBYTES: f64 = 500.0;
/// Asks this program for one file on standard input.
const JUDGE: &str = "--judge";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [] => generated(),
        [flag, folder] if flag == "--corpus" => write(Path::new(folder)),
        [flag, name @ ..] if flag == "--hostile" => hostile(name.first()),
        [flag] if flag == JUDGE => judge(),
        [folder] if !folder.starts_with('-') => {
            let files = read(Path::new(folder))?;
            if files.is_empty() {
                return Err(format!("there is no file below {folder}/.flow").into());
            }
            many(&files, "given");
            Ok(())
        }
        _ => Err("one folder at most, or --corpus FOLDER".into()),
    }
}

fn generated() -> Result<(), Failure> {
    let files = corpus::processes(FILES);
    many(&files, "1,000 files");
    let one = &files[..1];
    print("one_file_ms", "1 file", milliseconds(median(|| validated(one))));
    print("one_file_raw_parse_ms", "1 file", milliseconds(median(|| events(one))));
    for count in [100, 1_000, 10_000] {
        let files = corpus::processes(count);
        print("ms_per_file", &format!("{count} files"), per_file(median(|| validated(&files)), &files));
    }
    for count in [100, 1_000, 10_000] {
        let long = vec![(".flow/processes/long.yaml".to_owned(), corpus::long_process(count))];
        let steps = format!("1 file of {count} steps");
        print("one_file_ms", &steps, milliseconds(median(|| validated(&long))));
        print("one_file_raw_parse_ms", &steps, milliseconds(median(|| events(&long))));
    }
    Ok(())
}

/// Each file in a process of its own, so that the peak of memory is its own.
fn hostile(only: Option<&String>) -> Result<(), Failure> {
    let mut over = Vec::new();
    for (name, files) in hostile::repositories(hostile::Size::Full) {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let mut child =
            Command::new(std::env::current_exe()?).arg(JUDGE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().ok_or("the other process reads nothing")?;
        serde_json::to_writer(&mut input, &files)?;
        drop(input);
        let told = child.wait_with_output()?;
        if !told.status.success() {
            return Err(format!("{name}: {}", told.status).into());
        }
        let [time, memory]: [f64; 2] = serde_json::from_slice(&told.stdout)?;
        print("hostile_ms", name, rounded(time));
        print("peak_rss_mib", name, rounded(memory));
        if time > MOST_MILLISECONDS || memory > MOST_MEBIBYTES {
            over.push(name);
        }
    }
    match over.as_slice() {
        [] => Ok(()),
        _ => Err(format!("more than 5 s or 500 MiB: {}", over.join(", ")).into()),
    }
}

/// Judges the files on standard input; prints milliseconds and MiB.
fn judge() -> Result<(), Failure> {
    let files: Files = serde_json::from_reader(io::stdin().lock())?;
    let start = Instant::now();
    validated(&files);
    println!("{}", json!([milliseconds(start.elapsed()), peak_rss()]));
    Ok(())
}

/// The figures of many files.
fn many(files: &Files, of: &str) {
    let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
    // As one run of the program: before others follow, and before anything holds all files at once.
    validated(files);
    let memory = peak_rss();
    let all = median(|| validated(files));
    let (read, raw) = (median(|| only_read(files)), median(|| events(files)));
    print("files_per_s", of, json!((files.len() as f64 / all.as_secs_f64()).round()));
    print("ms_per_file", of, per_file(all, files));
    print("mib_per_s", of, rounded(bytes as f64 / (1024.0 * 1024.0) / all.as_secs_f64()));
    print("read_ms_per_file", of, per_file(read, files));
    print("raw_parse_ms_per_file", of, per_file(raw, files));
    print("ratio_to_raw_parse", of, rounded(all.as_secs_f64() / raw.as_secs_f64()));
    print("peak_rss_mib", of, memory);
}

fn validated(files: &[(String, String)]) {
    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect();
    let texts = Texts { files: &files, irregular: &BTreeMap::new() };
    let report = validate_texts(texts, &Options { performed_only: false, ..Options::default() });
    std::hint::black_box(report);
}

fn only_read(files: &[(String, String)]) {
    std::hint::black_box(Repository::read(files.iter().cloned()));
}

fn events(files: &[(String, String)]) {
    for (_, text) in files {
        let mut seen = 0_usize;
        for event in Parser::new_from_str(text) {
            seen += usize::from(matches!(event, Ok((Event::Scalar(..), _))));
        }
        std::hint::black_box(seen);
    }
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn per_file(time: Duration, files: &Files) -> Value {
    rounded(time.as_secs_f64() * 1_000.0 / files.len() as f64)
}

fn milliseconds(time: Duration) -> Value {
    rounded(time.as_secs_f64() * 1_000.0)
}

fn rounded(value: f64) -> Value {
    json!((value * 10_000.0).round() / 10_000.0)
}

/// Linux says it in `/proc`; elsewhere nothing is said.
fn peak_rss() -> Value {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map_or(Value::Null, |kib| rounded(kib / 1024.0))
}

fn print(figure: &str, of: &str, value: Value) {
    println!("{}", json!({"figure": figure, "value": value, "of": of}));
}

fn write(folder: &Path) -> Result<(), Failure> {
    for (path, text) in corpus::processes(FILES) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, text)?;
    }
    Ok(())
}

fn read(folder: &Path) -> Result<Files, Failure> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.join(".flow")];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                files.push((name, String::from_utf8_lossy(&fs::read(&path)?).into_owned()));
            }
        }
    }
    files.sort();
    Ok(files)
}
