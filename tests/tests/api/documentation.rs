//! docs/api.md is run: its examples, one after the other in one shell, against a server of its own.

use std::process::Command;

use flowctl_tests::{program, root};

use crate::stage::{Stage, TOKEN};

/// The fenced blocks of the page behind this word.
fn blocks<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let fence = format!("\n```{word}\n");
    let parts = text.split(fence.as_str()).skip(1);
    parts.filter_map(|part| part.split("\n```").next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_page_says_what_the_page_says() {
    for needed in ["bash", "curl", "jq"] {
        if Command::new(needed).arg("--version").output().is_err() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{needed} is needed");
            println!("not run: there is no {needed}");
            return;
        }
    }
    let page = std::fs::read_to_string(root().join("docs/api.md")).unwrap();
    let process = blocks(&page, "yaml")[0];
    let stage = Stage::with(&[("release", process)], vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned())]);
    let examples = blocks(&page, "sh");
    assert!(examples.len() > 8, "{} examples", examples.len());
    const BETWEEN: &str = "=== the next example ===";
    let folder = program().parent().unwrap().to_owned();
    let script = format!("set -euo pipefail\n{}\n", examples.join(&format!("\necho '{BETWEEN}'\n")));
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .env("FLOWCTL_SERVER", stage.url(""))
        .env("FLOWCTL_TOKEN", TOKEN)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}\n{}", stage.server.log());
    let parts: Vec<&str> = said.split(BETWEEN).collect();
    assert_eq!(parts.len(), examples.len());
    for (example, said) in examples.iter().zip(parts) {
        let mut rest = said;
        for expected in example.lines().filter_map(|line| line.strip_prefix("# => ")) {
            let at = rest.find(expected).unwrap_or_else(|| panic!("{example}\n\nlacks {expected:?} in:\n{said}"));
            rest = &rest[at + expected.len()..];
        }
    }
}
