//! Spending of the whole repository, signatures of messages, revisions of workflows, and what approvals show.

use super::tests::between;

fn told(path: &str, before: &str, after: &str) -> Vec<String> {
    let difference = between(&[(path, before)], &[(path, after)]);
    let line = |one: &super::Weakening| format!("{}:{} {}", one.kind.name(), one.place.range.start.line, one.message);
    difference.weakenings.iter().map(line).collect()
}

fn settings(before: &str, after: &str) -> Vec<String> {
    told(".flow/flow.yaml", &format!("models: {{a: mock}}\n{before}\n"), &format!("models: {{a: mock}}\n{after}\n"))
}

fn step(before: &str, after: &str) -> Vec<String> {
    let process = |step: &str| {
        format!(
            "name: p\nversion: 1\ncontext: {{branch: main}}\ninputs: {{env: {{type: string}}}}\nsteps:\n  - {{id: work, type: set, values: {{a: 1, b: 2}}}}\n  - {{id: s, depends_on: work, {step}}}\n"
        )
    };
    told(".flow/processes/p.yaml", &process(before), &process(after))
}

#[test]
fn more_spending_of_the_whole_repository_is_told() {
    let of = |cost: &str| format!("monthly_budget: {{max_cost: {cost} USD}}");
    assert_eq!(
        settings(&of("100"), &of("1000")),
        ["budget-raised:2 `monthly_budget`: `max_cost`: 100 USD became 1000 USD"]
    );
    assert_eq!(settings(&of("100"), ""), ["budget-raised:1 `monthly_budget`: `max_cost`: 100 USD became no limit"]);
    assert_eq!(settings(&of("100"), &of("10")), [""; 0]);
}

#[test]
fn a_channel_that_no_longer_signs_is_told() {
    let of = |secret: &str| format!("channels: {{ops: {{type: webhook, to: 'https://ops.example'{secret}}}}}");
    let signed = of(", secret: '{{ secrets.OPS }}'");
    assert_eq!(
        settings(&signed, &of("")),
        ["messages-unsigned:2 the messages of channel `ops` are not signed any more"]
    );
    assert_eq!(settings(&of(""), &of("")), [""; 0]);
    assert_eq!(settings(&signed, ""), [""; 0]);
}

#[test]
fn a_workflow_whose_revision_others_choose_is_told() {
    let of = |at: &str| format!("type: workflow, workflow: release.yml{at}");
    let computed = of(", ref: '{{ inputs.env }}'");
    let chosen = "and `inputs.env` decides which form of the workflow runs";
    assert_eq!(
        step(&of(", ref: main"), &computed),
        [format!("revision-computed:7 `ref`: `main` became `{{{{ inputs.env }}}}`, {chosen}")]
    );
    assert_eq!(
        step(&of(""), &computed),
        [format!("revision-computed:7 `ref`: the default branch became `{{{{ inputs.env }}}}`, {chosen}")]
    );
    assert_eq!(step(&computed, &of(", ref: main")), [""; 0]);
    assert_eq!(step(&computed, &of(", ref: 'release-{{ inputs.env }}'")), [""; 0]);
    assert_eq!(step(&of(", ref: main"), &of(", ref: '{{ context.branch }}'")), [""; 0]);
}

#[test]
fn an_approval_that_shows_less_is_told() {
    let of = |shown: &str| format!("type: human_approval, approvers: {{team: leads}}, timeout: 1d{shown}");
    let shows = of(", description: 'Look: {{ steps.work.output.a }}'");
    let gone = ["approval-shows-less:7 `description`: `steps.work.output.a` is not shown any more"];
    assert_eq!(step(&shows, &of(", description: Look")), gone);
    assert_eq!(step(&shows, &of(", description: '{{ steps.work.output.b }}'")), gone);
    assert_eq!(step(&shows, &of(", description: '{{ steps.work.output }}'")), [""; 0]);
    assert_eq!(step(&of(", description: Look"), &of(", description: Look here")), [""; 0]);
    assert_eq!(
        step(&shows, &of("")),
        ["approval-shows-less:7 `description`: `'Look: {{ steps.work.output.a }}'` became nothing"]
    );
}
