//! A policy governs a process by its name, and no approval there asks its approvers.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::approval::Demand;
use crate::definition::repository::{Definition, FileKind};
use crate::definition::step::{HumanApproval, StepKind};
use crate::definition::{Approvers, Step};
use crate::guarantee::Policies;
use crate::source::Spanned;
use crate::value::any_matches;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW315",
    name: "policy-approvers-not-asked",
    severity: Severity::Warning,
    summary: "No approval asks the approvers of a policy that governs the process",
    reason: r"
With `applies_to` a policy's guarantees hold for the processes that it names, but its approvers are asked only by approvals
that say `policy`. Name the policy in the approval that it is about, or ask for the same people there. That every effect lies
behind such an approval is said with a guarantee.
",
    wrong: r#"
# .flow/policies/production.yaml
name: production
applies_to: ["release*"]
approvers: {team: leads}

# .flow/processes/release.yaml
name: release
version: 1
steps:
  - id: ready
    type: human_approval
    title: Ship it?
    approvers: {team: developers}
    timeout: 1d
"#,
    right: r#"
# .flow/policies/production.yaml
name: production
applies_to: ["release*"]
approvers: {team: leads}

# .flow/processes/release.yaml
name: release
version: 1
steps:
  - id: ready
    type: human_approval
    title: Ship it?
    policy: production
    timeout: 1d
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let policies = Policies::of(scope.repository);
    for file in scope.files(FileKind::Policy) {
        let Some(Definition::Policy(policy)) = &file.definition else { continue };
        let Some(approvers) = &policy.approvers else { continue };
        for process in &scope.processes {
            let name = process.process.header.name.as_str();
            if !any_matches(policy.applies_to.iter().map(|glob| &glob.value), name) {
                continue;
            }
            if let Some(step) = asked_by_nobody(&policies, process, approvers) {
                let message = format!("`{}` asks nobody of the policy that governs `{name}`", step.id.as_str());
                let finding = findings.add(process.file, step.id.span, message);
                finding.help("name the policy here with `policy`, or ask for its approvers");
                finding.also(file, approvers.span, "those who are not asked");
            }
        }
    }
}

/// The first approval of a process of which none asks these approvers.
fn asked_by_nobody<'p>(
    policies: &Policies<'_>,
    process: &'p ProcessScope<'_>,
    approvers: &Spanned<Approvers>,
) -> Option<&'p Step> {
    let approvals = || {
        process.process.all_steps().filter_map(|step| match &step.kind {
            StepKind::HumanApproval(approval) => Some((step, approval)),
            _ => None,
        })
    };
    let asks = |approval: &HumanApproval| {
        let own = approval.approvers.iter().map(|own| &own.value);
        let by_policy = approval.policy.iter().flat_map(|name| policies.approvers(&name.value));
        Demand { all: own.chain(by_policy).collect(), or: Vec::new() }.implies(approvers)
    };
    match approvals().any(|(_, approval)| asks(approval)) {
        true => None,
        false => approvals().next().map(|(step, _)| step),
    }
}
