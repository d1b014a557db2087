//! Bodies and processes inside of each other.

use super::stories::told;

/// What is said of a process that runs this many others below one another, each inside of so many bodies, and of what the
/// last of them does.
fn nested(processes: usize, bodies: usize) -> Vec<String> {
    let mut files = Vec::new();
    for level in 0..=processes {
        let mut step = match level == processes {
            true => "{id: end, type: api_call, url: 'http://127.0.0.1/', timeout: 10s}".to_owned(),
            false => format!("{{id: run, type: process, process: p{}}}", level + 1),
        };
        for body in 0..bodies {
            step = format!("{{id: each{body}, type: foreach, items: [1], steps: [{step}]}}");
        }
        let guarantees = match level {
            0 => {
                "guarantees: [{ends_within: 9s}, {at_most: 0 USD}, {every_path_to: api_call, passes: {approval: {team: leads}}}]\n"
            }
            _ => "",
        };
        files.push((
            format!("processes/p{level}.yaml"),
            format!("name: p{level}\nversion: 1\n{guarantees}steps: [{step}]\n"),
        ));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let first = |words: String| words.split_once(':').map_or(words.clone(), |(first, _)| first.to_owned());
    told(&files).into_iter().map(first).collect()
}

#[test]
fn what_is_as_deep_as_it_may_be_is_proved_or_refuted() {
    assert_eq!(nested(16, 0), ["fails", "holds", "fails"]);
    assert_eq!(nested(9, 1), ["fails", "holds", "fails"]);
    // The process at the lowest level is the seventeenth below the first: that is a fault of its own.
    assert_eq!(nested(17, 0), ["faulty", "faulty", "faulty"]);
}

#[test]
fn of_what_is_nested_deeper_nothing_is_said_to_hold() {
    assert_eq!(nested(12, 2), ["unproved", "unproved", "unproved"]);
}
