//! Writes to GitHub under faults: repeated, delayed, refused; never twice, never lost.

use flowctl_sandbox::{Fault, RateLimits};

use crate::stage::{RELEASE, Stage};

/// Plays a release to its end and gives what stands on GitHub after it.
async fn play(stage: &Stage) -> String {
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    let refused = stage.comment(number, "/approve leads").by("carol").await;
    assert!(refused.starts_with("😕"), "{refused}");
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "release", "success").await;
    let comments = stage.app_comments(number, "<!-- flowctl:execution:").len();
    let replies = stage.app_comments(number, "<!-- flowctl:reply:").len();
    format!("{}\n{comments} comment, {replies} reply", stage.history(number, "release"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_not_made_twice() {
    let undisturbed = play(&Stage::raise(&[("release", RELEASE)]).await).await;
    for (method, path) in [
        ("POST", "/repos/octo-org/shop/check-runs"),
        ("PATCH", "/repos/octo-org/shop/check-runs/*"),
        ("POST", "/repos/octo-org/shop/issues/*/comments"),
        ("PATCH", "/repos/octo-org/shop/issues/comments/*"),
        ("POST", "/repos/octo-org/shop/issues/comments/*/reactions"),
    ] {
        for fault in [Fault::ErrorAfter { status: 502 }, Fault::ResetAfter] {
            let stage = Stage::raise(&[("release", RELEASE)]).await;
            stage.disturb(fault, method, path);
            assert_eq!(runs_and_comments(&play(&stage).await), runs_and_comments(&undisturbed), "{method} {path}");
        }
    }
}

/// How many runs, comments and replies there are, and how it ended: what a fault may not change. Which states people
/// got to see in between depends on time.
fn runs_and_comments(played: &str) -> (Option<String>, Option<&str>) {
    let mut lines = played.lines().rev();
    let counts = lines.next();
    (lines.next().and_then(|run| run.rsplit(' ').next().map(str::to_owned)), counts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_waited_for() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    for status in [403, 429] {
        let limited = Fault::RateLimited { status, retry_after: Some(1) };
        stage.disturb(limited, "POST", "/repos/octo-org/shop/*");
    }
    let played = play(&stage).await;
    assert!(played.ends_with("1 comment, 1 reply"), "{played}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_executions_meets_no_limit() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    stage.hub.pace.set_limits(RateLimits::default());
    let numbers: Vec<u64> = (0..25).map(|number| stage.pull_request(&format!("release-{number}"))).collect();
    for number in &numbers {
        stage.concluded(*number, "release", "action_required").await;
    }
    let requests = stage.hub.requests.all();
    let refused: Vec<_> = requests.iter().filter(|request| [403, 429].contains(&request.status)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    println!("{} requests for {} executions", requests.len(), numbers.len());
}

/// What a request is for, whatever it is about: `PATCH /repos/O/R/check-runs/N`.
fn kind(request: &flowctl_sandbox::RequestRecord) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    let part = |(index, part): (usize, &str)| match part {
        _ if part.chars().all(|c| c.is_ascii_digit()) && !part.is_empty() => "N".to_owned(),
        _ if part.len() == 40 && part.chars().all(|c| c.is_ascii_hexdigit()) => "SHA".to_owned(),
        // Names behind these are of somebody or something.
        _ if path
            .split('/')
            .nth(index.wrapping_sub(1))
            .is_some_and(|before| matches!(before, "users" | "memberships" | "collaborators")) =>
        {
            "LOGIN".to_owned()
        }
        part => part.to_owned(),
    };
    let parts: Vec<String> = path.split('/').enumerate().map(part).collect();
    format!("{} {}", request.method, parts.join("/").replace(crate::stage::REPOSITORY, "O/R"))
}

/// One release from the pull request to its end: two approvals by comments, one word that does not count. How often what
/// is asked varies with how writes fall together, so these are bounds and no numbers.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_costs_few_requests() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    // What is asked once for an installation, and not for each execution, is asked before.
    let first = stage.pull_request("release-1.3");
    stage.concluded(first, "release", "action_required").await;
    stage.eventually("validated", || stage.runs(first, "validate").pop()).await;
    stage.forget_deliveries().await;
    stage.hub.requests.clear();
    play(&stage).await;
    let requests: Vec<_> = stage.hub.requests.all().into_iter().filter(|request| !request.is_git()).collect();
    let mut kinds: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for request in &requests {
        *kinds.entry(kind(request)).or_default() += 1;
    }
    let table: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count:>3} {kind}")).collect();
    let writes = requests.iter().filter(|request| request.is_write()).count();
    println!("{} requests, {writes} of them writes\n{}", requests.len(), table.join("\n"));
    assert!(writes <= 20, "{writes} writes:\n{}", table.join("\n"));
    assert!(requests.len() <= 45, "{} requests:\n{}", requests.len(), table.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_are_lost_doubled_or_swapped_lead_to_the_same() {
    for (fault, event) in [
        (Fault::DuplicateDelivery, "issue_comment"),
        (Fault::DuplicateDelivery, "pull_request"),
        (Fault::ReorderDelivery, "check_suite"),
    ] {
        let stage = Stage::raise(&[("release", RELEASE)]).await;
        stage.hub.faults.add(flowctl_sandbox::FaultRule::new(fault).path(event).times(2));
        let played = play(&stage).await;
        assert!(played.ends_with("1 comment, 1 reply"), "{event}: {played}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_comment_comes_back_once_though_the_answer_is_lost() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let ours = |comment: &flowctl_sandbox::state::Comment| comment.body.starts_with("<!-- flowctl:execution:");
    let first = stage.hub.comments(crate::stage::REPOSITORY, number).unwrap().into_iter().find(ours).unwrap();
    stage.hub.delete_comment(crate::stage::REPOSITORY, "gina", first.id).unwrap();
    stage.disturb(Fault::ErrorAfter { status: 502 }, "POST", "/repos/octo-org/shop/issues/*/comments");
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "release", "success").await;
    assert_eq!(stage.app_comments(number, "<!-- flowctl:execution:").len(), 1);
}
