//! The truth table of `docs/edges.md`, run row by row.

use crate::definition::step::{Join, RunOn};
use crate::execution::edges::{EdgeEnd, Readiness, readiness};

fn end(word: &str) -> Option<EdgeEnd> {
    match word {
        "ok" => Some(EdgeEnd::Ok),
        "neutral" => Some(EdgeEnd::Neutral),
        "bad" => Some(EdgeEnd::Bad),
        "open" => None,
        other => panic!("`{other}` is no end of an edge"),
    }
}

#[test]
fn the_documented_truth_table_holds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/edges.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = 0;
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [join, edges, success, failure, always] = cells.as_slice() else { continue };
        let join = match *join {
            "all" => Join::All,
            "any" => Join::Any,
            _ => continue,
        };
        let ends: Vec<_> = if *edges == "-" { Vec::new() } else { edges.split(", ").map(end).collect() };
        for (run_on, expected) in [(RunOn::Success, success), (RunOn::Failure, failure), (RunOn::Always, always)] {
            let mut reversed = ends.clone();
            reversed.reverse();
            for ends in [&ends, &reversed] {
                let found = match readiness(join, run_on, ends) {
                    Readiness::Run => "run",
                    Readiness::Skip(_) => "skip",
                    Readiness::Wait => "wait",
                };
                assert_eq!(found, *expected, "{line} ({run_on:?})");
            }
        }
        rows += 1;
    }
    assert!(rows > 30, "the table of docs/edges.md was read: {rows} rows");
}
