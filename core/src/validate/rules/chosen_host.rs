//! A call whose other side anybody can choose.

use super::super::finding::Severity;
use super::super::reaching::arrivals;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::dataflow::{Field, Origin, Origins, Part};
use crate::definition::{Process, Step, StepType, Trigger};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW505",
    name: "chosen-host",
    severity: Severity::Error,
    summary: "A call whose other side anybody can choose",
    reason: r"
Text that anybody may have written, or that a model wrote, decides which machine is called: one inside the network that
should never be reached from outside, or one that takes what the call brings. Write the host out, and let text into the path
or the query only. Constants of `context` in an address count with their values, and what is looked up among constants is one
of them. The addresses that GitHub writes into its own events (`trigger.payload.pull_request.url`) may be called.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: fetch
    type: api_call
    url: "https://{{ trigger.pull_request.title }}.example/things"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: fetch
    type: api_call
    url: "https://api.example/things/{{ trigger.pull_request.title | urlencode }}"
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let origins = Origins::of(Origin::Outsider).with(Origins::of(Origin::Model));
    for process in &scope.processes {
        for arrival in arrivals(scope, process, &calls, &is_host, origins) {
            if is_githubs_own(process.process, arrival.begins()) {
                continue;
            }
            let message = format!("`{}` decides who is called, and anybody may have written it", arrival.reads());
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help("write the host out; let text into the path or the query only");
            arrival.tell_way(process, finding);
        }
    }
}

/// Addresses in the events of GitHub that people choose.
const CHOSEN: [&str; 6] = ["environment_url", "external_url", "homepage_url", "log_url", "mirror_url", "target_url"];

/// Whether GitHub itself wrote what is read: an address in an event of its own, behind nothing that people add to it.
fn is_githubs_own(process: &Process, read: &str) -> bool {
    let Some(path) = read.strip_prefix("trigger.payload.") else { return false };
    let is_address = path.rsplit('.').next().is_some_and(|last| last.ends_with("url") && !CHOSEN.contains(&last));
    is_address
        && !["arguments", "inputs", "payload"].iter().any(|free| path.contains(free))
        && process.header.triggers.iter().flat_map(|triggers| triggers.iter()).all(|trigger| is_of_github(trigger))
        && process.header.triggers.is_some()
}

/// Whether only GitHub says what comes with a trigger.
fn is_of_github(trigger: &Trigger) -> bool {
    use Trigger::{Comment, Deployment, Manual, MergeGroup, PullRequest, Push, RepositoryDispatch, Schedule};
    match trigger {
        PullRequest(_) | Push(_) | Comment(_) | MergeGroup | Deployment(_) | RepositoryDispatch(_) => true,
        // They bring no address.
        Manual | Schedule(_) => true,
        Trigger::Webhook(_) | Trigger::Event(_) | Trigger::Process(_) => false,
    }
}

/// Calls whose address is computed from its beginning on.
pub(super) fn calls(step: &Step) -> bool {
    step.step_type() == StepType::ApiCall
}

pub(super) fn is_host(field: &Field) -> bool {
    field.key == "url" && field.part == Part::Host
}

#[cfg(test)]
mod tests {
    use crate::definition::repository::Repository;
    use crate::validate::{Options, validate};

    /// What is told as chosen in a process with this trigger and this address.
    fn chosen(trigger: &str, url: &str) -> Vec<String> {
        let text = format!(
            "name: a\nversion: 1\ntriggers: [{trigger}]\ncontext: {{hosts: {{x: https://x.example}}}}\nsteps:\n  - {{id: keep, type: set, values: {{u: \"{url}\"}}}}\n  - {{id: call, type: api_call, url: \"{url}\"}}\n  - {{id: kept, type: api_call, depends_on: keep, url: \"{{{{ steps.keep.output.u }}}}\"}}\n"
        );
        let repository = Repository::read([(".flow/processes/a.yaml".to_owned(), text.clone())]);
        let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
        let told = report.findings.iter().filter(|finding| finding.code == "FLOW505");
        told.map(|finding| text[finding.span.range()].to_owned()).collect()
    }

    #[test]
    fn only_what_github_writes_itself_is_believed() {
        for (trigger, url) in [
            ("pull_request: {actions: [opened]}", "{{ trigger.payload.pull_request.comments_url }}"),
            ("push: {branches: [main]}", "{{ trigger.payload.repository.url }}"),
            ("comment: go", "{{ trigger.payload.comment.url | default('https://x.example') }}"),
            ("repository_dispatch: {type: go}", "{{ trigger.payload.repository.hooks_url }}"),
            ("deployment: {environments: [prod]}", "{{ trigger.payload.deployment_callback_url }}"),
        ] {
            assert_eq!(chosen(&format!("{{{trigger}}}"), url), [""; 0], "{trigger} {url}");
        }
        for (trigger, read) in [
            ("webhook: {secret: '{{ secrets.SHOP }}'}", "trigger.payload.callback_url"),
            ("event: bought", "trigger.payload.order.url"),
            ("comment: go", "trigger.payload.arguments.url"),
            ("repository_dispatch: go", "trigger.payload.client_payload.url"),
            ("deployment: {environment: prod}", "trigger.payload.deployment.payload.url"),
            ("pull_request: {actions: [opened]}", "trigger.payload.repository.mirror_url"),
            (
                "pull_request: {actions: [opened]}}, {webhook: {secret: '{{ secrets.SHOP }}'}",
                "trigger.payload.sent_url",
            ),
        ] {
            let trigger = format!("{{{trigger}}}");
            for url in [format!("{{{{ {read} }}}}"), format!("https://{{{{ {read} | lower }}}}/x")] {
                assert_eq!(chosen(&trigger, &url), [read, "steps.keep.output.u"], "{trigger} {url}");
            }
        }
    }

    #[test]
    fn a_tag_behind_the_host_chooses_no_other_side() {
        let opened = "{pull_request: {actions: [opened]}}";
        let labels = "{% for label in trigger.pull_request.labels %}l={{ label }}&{% endfor %}";
        let told = chosen(opened, &format!("https://api.example/?{labels}"));
        assert_eq!(told, ["steps.keep.output.u"], "what is kept is an address from its beginning on");
        assert!(chosen(opened, &format!("https://{labels}")).len() > 1);
    }

    #[test]
    fn what_is_looked_up_among_constants_is_a_constant() {
        let title = "{pull_request: {actions: [opened]}}";
        assert_eq!(chosen(title, "{{ context.hosts[trigger.pull_request.title] }}/x"), [""; 0]);
        assert_eq!(
            chosen(title, "{{ context.hosts[trigger.pull_request.title] }}{{ trigger.pull_request.title }}").len(),
            2
        );
    }
}
