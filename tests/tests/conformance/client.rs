//! Every request that the App's client can make, made once against the sandbox and held against the description.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flowctl_app::clock::SystemClock;
use flowctl_app::github::client::{
    Annotation, AnnotationLevel, AppClient, CheckAction, CheckConclusion, CheckOutput, CheckRunQuery, CheckRunUpdate,
    CheckStatus, DeploymentReview, DeploymentState, GitHub, InstallationClient, InstallationId, NewCheckRun, Reaction,
    RepositoryName, Timing, WorkflowDispatch,
};
use flowctl_app::settings::GitHubSettings;
use flowctl_sandbox::state::ReviewState;
use flowctl_tests::conformance::{Report, published};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::world::{REPOSITORY, World, files};

#[tokio::test]
async fn the_app_asks_for_nothing_that_github_does_not_describe() {
    let Some(description) = published() else { return };
    let world = World::new().await;
    grant_contents(&world);
    world.settle().await;
    world.sandbox.requests.clear();
    let github = github(&world);
    ask_as_app(&world, &github.app()).await;
    let installation = github.installation(InstallationId(world.installation));
    let number = world.pull_request("client");
    ask_about_people(&installation).await;
    ask_about_code(&world, &installation, number).await;
    write(&world, &installation, number).await;
    ask_what_was_missed(&installation, number).await;
    act(&world, &installation).await;
    commit(&world, &installation).await;
    let records = world.sandbox.requests.all();
    assert!(records.iter().all(|record| record.status < 400), "{records:#?}");
    let mut report = Report::new(description);
    report.requests(&records);
    report.finish().unwrap();
    println!("{} operations are asked for as described", report.checked().len());
}

#[test]
fn every_request_of_the_client_is_made_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/src/github/client");
    let here = include_str!("client.rs");
    let mut names = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("pub async fn ")) {
            let name = line.split(['(', '<']).next().unwrap();
            assert!(here.contains(&format!(".{name}(")), "nobody checks what `{name}` in {} asks for", path.display());
            names += 1;
        }
    }
    assert!(names > 20, "the client's requests are written otherwise than this test reads them");
}

fn github(world: &World) -> GitHub {
    let app = world.sandbox.app();
    let settings = GitHubSettings {
        api_url: world.sandbox.api_url().parse().unwrap(),
        web_url: world.sandbox.web_url().parse().unwrap(),
        app_id: app.id,
        private_key: SecretString::from(app.private_key_pem),
        webhook_secret: SecretString::from(app.webhook_secret),
        write_interval: Duration::ZERO,
        timing: Timing::default(),
    };
    GitHub::new(&settings, Arc::new(SystemClock)).unwrap()
}

fn repository() -> RepositoryName {
    REPOSITORY.parse().unwrap()
}

async fn ask_as_app(world: &World, app: &AppClient) {
    assert_eq!(app.get_app().await.unwrap().id, world.sandbox.app().id);
    assert_eq!(app.installations().await.unwrap().len(), 1);
    app.installation(InstallationId(world.installation)).await.unwrap();
    app.repository_installation(&repository()).await.unwrap();
    let deliveries = app.deliveries(Timestamp::UNIX_EPOCH, None).await.unwrap().shown;
    app.redeliver(deliveries[0].id).await.unwrap();
    assert!(app.get_app_at().await.unwrap().1.is_some());
    app.hook().await.unwrap();
}

async fn ask_about_people(installation: &InstallationClient) {
    let token = installation.token().await.unwrap();
    installation.token_instead_of(&token).await.unwrap();
    installation.user("alice").await.unwrap();
    installation.user_permission(&repository(), "bob").await.unwrap();
    assert_eq!(installation.team_members("octo-org", "leads").await.unwrap().len(), 2);
    assert!(installation.team_membership("octo-org", "leads", "alice").await.unwrap());
}

async fn ask_about_code(world: &World, installation: &InstallationClient, number: u64) {
    let repository = repository();
    installation.get_repository(&repository).await.unwrap();
    assert_eq!(installation.repositories().await.unwrap().len(), 2);
    installation.get_pull_request(&repository, number).await.unwrap();
    // More commits than the list shows: the client then asks for a comparison.
    for index in 0..250 {
        let text = index.to_string();
        world.sandbox.push(REPOSITORY, "alice", "client", "One more", &files(&[("count", &text)])).unwrap();
    }
    assert_eq!(installation.list_pull_request_commits(&repository, number).await.unwrap().len(), 251);
    let review = world.sandbox.review(REPOSITORY, "bob", number, ReviewState::Approved, "Yes").unwrap();
    installation.get_review(&repository, number, review).await.unwrap();
    assert_eq!(installation.list_reviews(&repository, number).await.unwrap().len(), 1);
    world.sandbox.create_branch(REPOSITORY, "alice", "feature/client", "main").unwrap();
    installation.branch(&repository, "feature/client").await.unwrap();
    assert!(!installation.list_pull_request_files(&repository, number).await.unwrap().is_empty());
    assert!(installation.text_at(&repository, "README.md", "main").await.unwrap().is_some());
    let head = installation.get_pull_request(&repository, number).await.unwrap().head.sha;
    installation.commit(&repository, &head).await.unwrap();
    assert_eq!(installation.commits_between(&repository, "main", &head).await.unwrap().len(), 251);
    assert_eq!(installation.open_pull_request_at(&repository, &head).await.unwrap(), Some(number));
}

/// What is asked to find what no delivery told of.
async fn ask_what_was_missed(installation: &InstallationClient, number: u64) {
    let (repository, since) = (repository(), Timestamp::UNIX_EPOCH);
    installation.rate_limit().await.unwrap();
    installation.repository_now(&repository).await.unwrap();
    installation.repository_lately(&repository).await.unwrap();
    assert!(!installation.comments_since(&repository, since).await.unwrap().is_empty());
    assert!(!installation.pull_requests_since(&repository, since).await.unwrap().is_empty());
    assert!(!installation.reviews_of(&repository, number).await.unwrap().is_empty());
    assert!(!installation.comments_of(&repository, number, since).await.unwrap().is_empty());
    installation.issue(&repository, number).await.unwrap();
}

async fn act(world: &World, installation: &InstallationClient) {
    let repository = repository();
    let inputs = [("tag".to_owned(), "v1".to_owned())].into_iter().collect();
    let dispatch = WorkflowDispatch::new("main".to_owned(), inputs);
    let run = installation.dispatch_workflow(&repository, "release.yml", &dispatch).await.unwrap().unwrap();
    let runs = installation.dispatched_runs(&repository, "release.yml", Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [run.id]);
    installation.get_workflow_run(&repository, run.id).await.unwrap();
    world.sandbox.keep_artifact(run.id, "flowctl-output", &[("output.json", "{}")]).unwrap();
    let artifacts = installation.artifacts_of_run(&repository, run.id, "flowctl-output").await.unwrap();
    // The archive's own store refuses whoever comes with a token: it was asked without.
    let archive = installation.download_artifact(&repository, artifacts[0].id).await.unwrap();
    assert!(archive.starts_with(b"PK"));
    installation.cancel_workflow_run(&repository, run.id).await.unwrap();
    let run = world.sandbox.request_deployment(REPOSITORY, "alice", "production", "main").unwrap();
    let state = Some(DeploymentState::Approved);
    let review = DeploymentReview { environment_name: "production".into(), state, comment: "They agree.".into() };
    installation.review_deployment(&repository, run, &review).await.unwrap();
}

/// What writing the audit log into a repository needs beside all else.
fn grant_contents(world: &World) {
    let mut granted = world.sandbox.read(|view| view.world.installations[&world.installation].permissions.clone());
    granted.insert("contents".to_owned(), "write".to_owned());
    let granted: Vec<(&str, &str)> = granted.iter().map(|(name, level)| (name.as_str(), level.as_str())).collect();
    world.sandbox.set_permissions(world.installation, &granted).unwrap();
}

async fn commit(world: &World, installation: &InstallationClient) {
    let (repository, name) = (repository(), "refs/flowctl/audit");
    let file = ("2026/03/01/1.jsonl", "{}\n");
    let tree = installation.create_tree(&repository, None, file).await.unwrap();
    let first = installation.create_commit(&repository, "First", &tree, None).await.unwrap();
    installation.create_reference(&repository, name, &first).await.unwrap();
    let more = ("2026/03/01/2.jsonl", "{}\n");
    let tree = installation.create_tree(&repository, Some(&tree), more).await.unwrap();
    let second = installation.create_commit(&repository, "Second", &tree, Some(&first)).await.unwrap();
    installation.forward_reference(&repository, name, &second).await.unwrap();
    assert_eq!(installation.reference(&repository, name).await.unwrap(), Some(second.clone()));
    assert_eq!(installation.commit_object(&repository, &second).await.unwrap().tree.sha, tree);
    assert!(world.sandbox.is_signed(&second), "it names no other author");
}

async fn write(world: &World, installation: &InstallationClient, number: u64) {
    let repository = repository();
    let comment = installation.create_comment(&repository, number, "Hello").await.unwrap();
    installation.update_comment(&repository, comment.id, "Hello again").await.unwrap();
    installation.get_comment(&repository, comment.id).await.unwrap();
    installation.list_comments(&repository, number, Some(Timestamp::UNIX_EPOCH)).await.unwrap();
    installation.add_reaction_to_comment(&repository, comment.id, Reaction::Eyes).await.unwrap();
    installation.add_reaction_to_issue(&repository, number, Reaction::ThumbsUp).await.unwrap();
    let head_sha = world.head(number);
    let annotation = Annotation {
        path: "README.md".into(),
        start_line: 1,
        end_line: 1,
        start_column: Some(1),
        end_column: Some(2),
        annotation_level: AnnotationLevel::Failure,
        message: "Wrong".into(),
        title: Some("FLOW001".into()),
    };
    let output = CheckOutput {
        title: "Runs".into(),
        summary: "1 of 2".into(),
        text: Some("More".into()),
        annotations: vec![annotation],
    };
    let fields = CheckRunUpdate {
        external_id: Some("execution".into()),
        details_url: Some("http://127.0.0.1:8080/executions/1".into()),
        status: Some(CheckStatus::InProgress),
        started_at: Some(Timestamp::now()),
        output: Some(output.clone()),
        ..CheckRunUpdate::default()
    };
    let new = NewCheckRun { name: "flowctl / release".into(), head_sha: head_sha.clone(), fields };
    let run = installation.create_check_run(&repository, &new).await.unwrap();
    let button = |verb: &str| CheckAction { label: verb.into(), description: verb.into(), identifier: verb.into() };
    let update = CheckRunUpdate {
        conclusion: Some(CheckConclusion::ActionRequired),
        completed_at: Some(Timestamp::now()),
        output: Some(output),
        actions: Some(vec![button("approve"), button("reject")]),
        ..CheckRunUpdate::default()
    };
    installation.update_check_run(&repository, run.id, &update).await.unwrap();
    let query = CheckRunQuery { reference: head_sha, check_name: Some("flowctl / release".into()) };
    assert_eq!(installation.list_check_runs(&repository, &query).await.unwrap().len(), 1);
}
