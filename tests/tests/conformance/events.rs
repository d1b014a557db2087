//! Deeds that send every webhook the sandbox knows.

use std::collections::BTreeSet;

use flowctl_sandbox::state::{Delivery, ReviewState};
use flowctl_sandbox::{FileContent, Files, OpenPullRequest};

use crate::world::{REPOSITORY, World, files};

/// Everything that the sandbox tells about.
const EVENTS: &str = "
    check_run.completed check_run.created check_run.requested_action check_run.rerequested
    check_suite.completed check_suite.requested check_suite.rerequested
    create delete
    deployment_protection_rule.requested
    installation.created installation.deleted installation.new_permissions_accepted installation.suspend installation.unsuspend
    installation_repositories.added installation_repositories.removed
    issue_comment.created issue_comment.deleted issue_comment.edited
    issues.closed issues.edited issues.labeled issues.opened issues.reopened issues.unlabeled
    merge_group.checks_requested merge_group.destroyed
    ping
    pull_request.closed pull_request.edited pull_request.labeled pull_request.opened pull_request.ready_for_review
    pull_request.reopened pull_request.synchronize pull_request.unlabeled
    pull_request_review.dismissed pull_request_review.edited pull_request_review.submitted
    push
    repository.created repository.deleted repository.edited repository.renamed
    repository_dispatch.sample.collected
    workflow_run.completed workflow_run.in_progress workflow_run.requested
";

/// What REST has not caused already.
pub fn drive(world: &World) {
    let sandbox = &world.sandbox;
    let number = world.pull_request("events");
    sandbox.push(REPOSITORY, "alice", "events", "More", &files(&[("more.md", "more\n")])).unwrap();
    sandbox.force_push(REPOSITORY, "alice", "events", "Otherwise", &files(&[("other.md", "other\n")])).unwrap();
    sandbox.unlabel(REPOSITORY, "alice", number, "release").unwrap();
    let review = sandbox.review(REPOSITORY, "bob", number, ReviewState::Approved, "").unwrap();
    sandbox.edit_review("bob", review, "Yes").unwrap();
    sandbox.dismiss_review("alice", review, "Changed since").unwrap();
    let draft = OpenPullRequest {
        title: "Draft".into(),
        head: "draft".into(),
        draft: true,
        files: files(&[("d.md", "d\n")]),
        ..OpenPullRequest::default()
    };
    let draft = sandbox.open_pull_request(REPOSITORY, "alice", &draft).unwrap();
    sandbox.mark_ready(REPOSITORY, "alice", draft).unwrap();
    sandbox.merge(REPOSITORY, "bob", draft).unwrap();
    sandbox.comment(REPOSITORY, "carol", number, "/approve").unwrap();
    let run = sandbox
        .read(|view| view.world.check_runs.values().find(|run| !run.actions.is_empty()).map(|run| run.id))
        .unwrap();
    sandbox.press("bob", run, "approve").unwrap();
    sandbox.create_branch(REPOSITORY, "bob", "short-lived", "main").unwrap();
    sandbox.delete_branch(REPOSITORY, "bob", "short-lived").unwrap();
    let queued = world.pull_request("queued");
    let group = sandbox.queue_pull_request(REPOSITORY, "bob", queued).unwrap();
    sandbox.destroy_merge_group(REPOSITORY, &group, "dequeued").unwrap();
    let text = Files::from([("a.md".to_owned(), Some(FileContent::from("a\n")))]);
    sandbox.create_repository("octo-org/second", &text).unwrap();
    sandbox.select_repositories(world.installation, Some(&["octo-org/shop"])).unwrap();
    sandbox.select_repositories(world.installation, None).unwrap();
    sandbox.rename_repository("octo-org/second", "third").unwrap();
    let bob = sandbox.account("bob").unwrap().id;
    sandbox
        .change(|change| {
            let id = change.world.repository(REPOSITORY)?.id;
            change.set_default_branch(id, "events", bob)
        })
        .unwrap();
    sandbox.delete_repository("octo-org/third").unwrap();
}

fn name(delivery: &Delivery) -> String {
    delivery.action.as_ref().map_or_else(|| delivery.event.clone(), |action| format!("{}.{action}", delivery.event))
}

/// What was to be told and was not, and what was told that nobody expected.
pub fn not_sent(deliveries: &[Delivery]) -> Vec<String> {
    let expected: BTreeSet<String> = EVENTS.split_whitespace().map(str::to_owned).collect();
    let sent: BTreeSet<String> = deliveries.iter().map(name).collect();
    let missing = expected.difference(&sent).map(|name| format!("webhook {name} was not sent"));
    let unexpected = sent.difference(&expected).map(|name| format!("webhook {name} was sent, and is not in the list"));
    missing.chain(unexpected).collect()
}
