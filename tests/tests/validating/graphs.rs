//! `flowctl graph` in every format.

use super::stage::Folder;

const BROKEN: &str = "name: a
version: 1
steps:
  - {id: one, type: set, values: {x: '{{ inputs.nothing }}'}}
  - {id: two, type: sett, depends_on: one}
  - {id: three, type: set, values: {x: 1}, depends_on: [one, nowhere]}
";

#[test]
fn a_process_with_errors_is_drawn_as_far_as_it_could_be_read() {
    let repository = Folder::with(&[(".flow/processes/a.yaml", BROKEN)]);
    for format in ["ascii", "mermaid", "svg", "dot"] {
        let said = repository.flowctl(&["graph", "a", "--format", format]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.out.contains("one") && said.out.contains("three"), "{}", said.out);
        assert!(said.err.contains("is drawn as far as it could be read"), "{}", said.err);
        assert!(!said.out.contains("1 error"), "marks only where asked for: {}", said.out);
        let marked = repository.flowctl(&["graph", "a", "--format", format, "--findings"]);
        assert!(marked.out.contains("✗ 1 error"), "{}", marked.out);
    }
}

#[test]
fn a_picture_is_whole_and_loads_nothing() {
    let folder = flowctl_tests::root().join("fixtures/repositories/release");
    let said = super::stage::flowctl(&folder, &["graph", "release", "--format", "svg"], "");
    assert!(said.out.starts_with("<svg ") && said.out.trim_end().ends_with("</svg>"), "{}", said.out);
    for part in ["<script", "<image", "href", "@import"] {
        assert!(!said.out.contains(part), "{part}");
    }
}
