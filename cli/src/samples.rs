//! The sample repositories, built in: what `init` begins with and what `dev` plays. The files are those under
//! `fixtures/`, which tests validate and play.

/// A sample: files by path.
#[derive(Debug)]
pub struct Sample {
    /// Its name.
    pub name: &'static str,
    /// Its files, path and text.
    pub files: &'static [(&'static str, &'static str)],
    /// The scenario that plays people on it.
    pub scenario: &'static str,
}

macro_rules! sample {
    ($name:literal, [$($file:literal),+ $(,)?]) => {
        Sample {
            name: $name,
            files: &[$(($file, include_str!(concat!("../../fixtures/repositories/", $name, "/", $file)))),+],
            scenario: include_str!(concat!("../../fixtures/scenarios/", $name, ".yaml")),
        }
    };
}

/// Every sample; the first is the demo.
pub const SAMPLES: [Sample; 6] = [
    sample!(
        "release",
        [
            ".flow/flow.yaml",
            ".flow/processes/release.yaml",
            ".flow/prompts/release-notes.md",
            ".flow/schemas/release-notes.json",
            ".flow/tests/release.yaml",
            "CHANGELOG.md",
            "README.md",
            "src/cart.py",
        ]
    ),
    sample!(
        "production-access",
        [
            ".flow/flow.yaml",
            ".flow/processes/break-glass.yaml",
            ".flow/processes/production-access.yaml",
            ".flow/tests/production-access.yaml",
            "README.md",
            "access/README.md",
        ]
    ),
    sample!(
        "incident",
        [
            ".flow/processes/incident.yaml",
            ".flow/tests/incident.yaml",
            "README.md",
            "runbooks/database.md",
            "status.json",
        ]
    ),
    sample!(
        "vendor-onboarding",
        [
            ".flow/flow.yaml",
            ".flow/processes/vendor-onboarding.yaml",
            ".flow/schemas/registry-entry.json",
            ".flow/tests/vendor-onboarding.yaml",
            "README.md",
            "vendors/paper-mill.yaml",
        ]
    ),
    sample!(
        "ai-triage",
        [
            ".flow/flow.yaml",
            ".flow/processes/ai-triage.yaml",
            ".flow/prompts/triage.md",
            ".flow/schemas/triage.json",
            ".flow/tests/ai-triage.yaml",
            "README.md",
            "src/report.md",
        ]
    ),
    sample!(
        "agent-triage",
        [
            ".flow/agents/triage.yaml",
            ".flow/flow.yaml",
            ".flow/processes/triage.yaml",
            ".flow/schemas/github.yaml",
            ".flow/tests/triage.yaml",
            ".flow/tools/github.yaml",
            "README.md",
            "reports/README.md",
        ]
    ),
];
