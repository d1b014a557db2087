//! Definitions to measure with: sound processes of 5 to 6 KB that use most of the language, no two of them alike, and
//! one long process. The same number gives the same text.

use std::fmt::Write;

/// `count` processes by path, 5 to 6 KB each.
pub fn processes(count: usize) -> Vec<(String, String)> {
    (0..count).map(|number| (format!(".flow/processes/deploy-{number:05}.yaml"), process(number))).collect()
}

/// One process. What it says depends on its number alone.
fn process(number: usize) -> String {
    let services = ["checkout", "billing", "search", "identity", "ledger", "mail", "reports"];
    let regions = ["eu-west", "eu-north", "us-east", "ap-south"];
    let service = services[number % services.len()];
    let region = regions[number % regions.len()];
    let risk = 3 + number % 6;
    let text = TEMPLATE
        .replace("@NAME", &format!("deploy-{number:05}"))
        .replace("@VERSION", &(1 + number % 9).to_string())
        .replace("@SERVICE", service)
        .replace("@REGION", region)
        .replace("@RISK", &risk.to_string());
    debug_assert!((5_000..=6_144).contains(&text.len()), "{} bytes", text.len());
    text
}

const TEMPLATE: &str = include_str!("process.yaml");

/// One process of `count` steps: chains of five that branch off the one before, with an approval at each end.
pub fn long_process(count: usize) -> String {
    let mut text = String::from("name: long\nversion: 1\ninputs:\n  who: {type: string, default: nobody}\nsteps:\n");
    for number in 0..count {
        let _ = writeln!(text, "  - id: s{number}");
        if number > 0 {
            let before = if number % 5 == 0 { number - 5 } else { number - 1 };
            let _ = writeln!(text, "    depends_on: [s{before}]");
        }
        match number % 5 {
            4 => text.push_str("    type: human_approval\n    approvers: {team: leads, count: 2}\n    timeout: 24h\n"),
            0 => text.push_str("    type: set\n    values: {who: \"{{ inputs.who }}\", ready: true}\n"),
            own => {
                let first = number - own;
                let _ = writeln!(
                    text,
                    "    type: api_call\n    url: https://example.com/{number}?who={{{{ steps.s{first}.output.who }}}}\n    \
                     timeout: 20s\n    retry: {{max_attempts: 3}}"
                );
            }
        }
    }
    text
}
