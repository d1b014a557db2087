//! The client against a server that remembers what it was asked: what is sent, what is repeated, what is understood.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should panic")]

mod limits;
pub(in crate::github) mod server;

use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::*;
use crate::clock::FixedClock;
use server::{Reply, Server};

const NOW: &str = "2026-03-01T12:00:00.5Z";
const MINT: &str = "POST /api/v3/app/installations/42/access_tokens";
const COMMENTS: &str = "POST /api/v3/repos/octo/hello/issues/7/comments";

/// The client, its server and its clock.
struct World {
    server: Server,
    clock: Arc<FixedClock>,
    github: GitHub,
}

/// A GitHub that cannot be reached.
pub(in crate::github) fn nowhere(clock: Arc<dyn Clock>) -> GitHub {
    github(&"http://127.0.0.1:9/".parse().unwrap(), clock)
}

/// A GitHub at this address, with a token for the one installation 42 at `server`.
pub(in crate::github) fn answering(server: &Server) -> GitHub {
    server.on(MINT, token("ghs_one", "2026-03-01T13:00:00Z"));
    github(&server.url.join("api/v3").unwrap(), Arc::new(FixedClock::new(NOW.parse().unwrap())))
}

fn github(api_url: &Url, clock: Arc<dyn Clock>) -> GitHub {
    let settings = GitHubSettings {
        api_url: api_url.clone(),
        web_url: api_url.clone(),
        app_id: 99,
        private_key: SecretString::from(include_str!("testdata/app-key.pem")),
        webhook_secret: SecretString::from("secret"),
        write_interval: Duration::ZERO,
        timing: Timing::default(),
    };
    GitHub::new(&settings, clock).unwrap()
}

impl World {
    async fn new() -> Self {
        let server = Server::start().await;
        let clock = Arc::new(FixedClock::new(NOW.parse().unwrap()));
        let github = github(&server.url.join("api/v3").unwrap(), Arc::clone(&clock) as Arc<dyn Clock>);
        Self { server, clock, github }
    }

    /// A world in which tokens are to be had.
    async fn with_tokens() -> Self {
        let world = Self::new().await;
        world.server.on(MINT, token("ghs_one", "2026-03-01T13:00:00Z"));
        world.server.on(MINT, token("ghs_two", "2026-03-01T14:00:00Z"));
        world
    }

    fn installation(&self) -> InstallationClient {
        self.github.installation(InstallationId(42))
    }
}

fn token(token: &str, expires_at: &str) -> Reply {
    Reply::json(201, &json!({"token": token, "expires_at": expires_at, "permissions": {}}))
}

fn repository() -> RepositoryName {
    "octo/hello".parse().unwrap()
}

fn user(id: u64, login: &str) -> Value {
    json!({"id": id, "login": login, "type": "User", "node_id": "x", "site_admin": false})
}

fn comment(id: u64, body: &Value) -> Value {
    json!({
        "id": id, "body": body, "user": user(1, "octocat"), "created_at": "2026-03-01T11:00:00Z",
        "updated_at": "2026-03-01T11:00:00Z", "html_url": "http://x/1", "performed_via_github_app": null,
    })
}

#[tokio::test]
async fn every_request_says_who_we_are_and_which_version_we_mean() {
    let world = World::with_tokens().await;
    world.server.on("GET /api/v3/app", Reply::json(200, &json!({"id": 99, "slug": "flowctl", "name": "flowctl"})));
    world.server.on(COMMENTS, Reply::json(201, &comment(5, &json!("hello"))));
    let app = world.github.app().get_app().await.unwrap();
    assert_eq!((app.id, app.slug.as_str()), (99, "flowctl"));
    let written = world.installation().create_comment(&repository(), 7, "hello").await.unwrap();
    assert_eq!((written.id, written.body.as_str(), written.user.unwrap().id), (5, "hello", 1));
    let all = world.server.all();
    assert_eq!(all.len(), 3);
    for asked in &all {
        assert_eq!(asked.header("accept"), "application/vnd.github+json", "{asked:?}");
        assert_eq!(asked.header("x-github-api-version"), "2022-11-28");
        assert_eq!(asked.header("user-agent"), format!("flowctl/{}", env!("CARGO_PKG_VERSION")));
    }
    assert_eq!(all[2].header("authorization"), "Bearer ghs_one");
    assert_eq!(all[2].header("content-type"), "application/json");
    assert_eq!(all[2].json(), json!({"body": "hello"}));
}

#[tokio::test]
async fn the_apps_token_is_signed_a_minute_in_the_past_and_for_less_than_ten() {
    let world = World::with_tokens().await;
    world.installation().token().await.unwrap();
    let asked = world.server.asked(MINT).remove(0);
    let jwt = asked.header("authorization").strip_prefix("Bearer ").unwrap();
    let key = jsonwebtoken::DecodingKey::from_rsa_pem(include_bytes!("testdata/app-key.pub.pem")).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(jwt, &key, &validation).unwrap().claims;
    let now = NOW.parse::<Timestamp>().unwrap().as_second();
    assert_eq!(claims, json!({"iat": now - 60, "exp": now + 480, "iss": 99}));
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_five_minutes_before_its_end() {
    let world = World::with_tokens().await;
    let tokens = (0..20).map(|_| {
        let installation = world.installation();
        async move { installation.token().await.unwrap().expose_secret().to_owned() }
    });
    assert!(join_all(tokens).await.iter().all(|token| token == "ghs_one"));
    assert_eq!(world.server.asked(MINT).len(), 1);
    world.clock.set("2026-03-01T12:54:59Z".parse().unwrap());
    assert_eq!(world.installation().token().await.unwrap().expose_secret(), "ghs_one");
    world.clock.set("2026-03-01T12:55:00Z".parse().unwrap());
    assert_eq!(world.installation().token().await.unwrap().expose_secret(), "ghs_two");
    assert_eq!(world.server.asked(MINT).len(), 2);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_request_sent_again() {
    let world = World::with_tokens().await;
    let refused = Reply::json(401, &json!({"message": "Bad credentials"}));
    world.server.on(COMMENTS, refused.clone()).on(COMMENTS, Reply::json(201, &comment(5, &json!("x"))));
    world.installation().create_comment(&repository(), 7, "x").await.unwrap();
    let tokens: Vec<_> =
        world.server.asked(COMMENTS).iter().map(|asked| asked.header("authorization").to_owned()).collect();
    assert_eq!(tokens, ["Bearer ghs_one", "Bearer ghs_two"]);

    let world = World::with_tokens().await;
    world.server.on(COMMENTS, refused);
    let error = world.installation().create_comment(&repository(), 7, "x").await.unwrap_err();
    assert!(matches!(error, GitHubError::Unauthorized { .. }) && !error.is_transient(), "{error}");
    assert_eq!((world.server.asked(COMMENTS).len(), world.server.asked(MINT).len()), (2, 2));
}

#[tokio::test]
async fn where_github_asks_to_be_left_alone_nothing_of_the_installation_is_asked_before_the_time() {
    let world = World::with_tokens().await;
    let limited = Reply::json(403, &json!({"message": "You have exceeded a secondary rate limit."}));
    let path = "GET /api/v3/repos/octo/hello";
    world.server.on(path, limited.header("retry-after", "60")).on(path, Reply::json(200, &json!({})));
    world.server.on(COMMENTS, Reply::json(201, &comment(5, &json!("x"))));
    let (installation, before) = (world.installation(), world.installation());
    let look = async || installation.repository_now(&repository()).await;
    assert!(matches!(look().await, Err(GitHubError::RateLimited { .. })));
    let refused = look().await.unwrap_err();
    assert!(matches!(refused, GitHubError::Rests { because: Because::Asked, .. }) && refused.is_transient());
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
    let written = before.create_comment(&repository(), 7, "x").await.unwrap_err();
    assert!(!written.may_have_happened(), "{written}");
    assert_eq!((world.server.asked(path).len(), world.server.asked(COMMENTS).len()), (1, 0));
    world.clock.advance(SignedDuration::from_secs(60));
    look().await.unwrap();
    before.create_comment(&repository(), 7, "x").await.unwrap();
}

#[tokio::test]
async fn nothing_else_is_ever_sent_twice() {
    for (reply, happened) in [
        (Reply::empty(500), true),
        (Reply::empty(502), true),
        (Reply::json(429, &json!({"message": "slow down"})), false),
        (Reply::json(403, &json!({"message": "You have exceeded a secondary rate limit"})), false),
        (
            Reply::json(
                422,
                &json!({"message": "Validation Failed", "errors": [{"field": "body", "code": "missing"}]}),
            ),
            false,
        ),
    ] {
        let world = World::with_tokens().await;
        world.server.on(COMMENTS, reply);
        let error = world.installation().create_comment(&repository(), 7, "x").await.unwrap_err();
        assert_eq!(error.may_have_happened(), happened, "{error}");
        assert_eq!(world.server.asked(COMMENTS).len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_never_stood_is_told_from_one_that_broke() {
    let clock = Arc::new(FixedClock::new(NOW.parse().unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    // Gives a token, then reads a whole request and hangs up without an answer.
    let serving = tokio::spawn(async move {
        let body = r#"{"token":"ghs_one","expires_at":"2026-03-01T13:00:00Z"}"#;
        let given =
            format!("HTTP/1.1 201 Created\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        for reply in [given.as_str(), "", ""] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 8192];
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
        drop(listener);
    });
    let installation = github(&url, clock).installation(InstallationId(42));
    let error = installation.create_comment(&repository(), 7, "x").await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { maybe_done: true, .. }), "{error}");
    assert!(error.is_transient() && error.may_have_happened());
    let error = installation.get_comment(&repository(), 5).await.unwrap_err();
    assert!(error.is_transient() && !error.may_have_happened(), "a read: {error}");
    serving.await.unwrap();
    let error = installation.create_comment(&repository(), 7, "x").await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { maybe_done: false, .. }), "{error}");
    assert!(error.is_transient() && !error.may_have_happened());
}

#[tokio::test]
async fn redirects_stay_on_the_host_and_repeat_method_and_body() {
    let world = World::with_tokens().await;
    let moved = "/api/v3/repositories/1/issues/7/comments";
    world.server.on(COMMENTS, Reply::empty(307).header("location", moved));
    world.server.on(&format!("POST {moved}"), Reply::json(201, &comment(5, &json!("x"))));
    world.installation().create_comment(&repository(), 7, "x").await.unwrap();
    assert_eq!(world.server.asked(&format!("POST {moved}"))[0].json(), json!({"body": "x"}));

    let elsewhere = Server::start().await;
    let world = World::with_tokens().await;
    world.server.on(COMMENTS, Reply::empty(307).header("location", format!("{}{}", elsewhere.url, "x")));
    let error = world.installation().create_comment(&repository(), 7, "x").await.unwrap_err();
    assert!(matches!(error, GitHubError::Unexpected { status: 307, .. }), "{error}");
    assert_eq!(elsewhere.all().len(), 0);
}

#[tokio::test]
async fn a_lost_installation_is_told_from_a_refused_request() {
    let world = World::new().await;
    let error = world.installation().user("octocat").await.unwrap_err();
    assert!(matches!(error, GitHubError::Uninstalled { .. }) && error.is_installation_lost(), "{error}");
    let suspended = json!({"message": "This installation has been suspended"});
    world.server.on(MINT, Reply::json(403, &suspended));
    let error = world.installation().user("octocat").await.unwrap_err();
    assert!(matches!(error, GitHubError::Suspended { .. }) && error.is_installation_lost(), "{error}");
    let world = World::new().await;
    world.server.on(MINT, Reply::empty(502));
    let error = world.installation().create_comment(&repository(), 7, "x").await.unwrap_err();
    assert!(error.is_transient() && !error.may_have_happened(), "no comment was even sent: {error}");
}

#[tokio::test]
async fn what_github_says_is_kept_and_no_token_is_shown() {
    let world = World::with_tokens().await;
    let said = json!({
        "message": "Validation Failed",
        "errors": [{"resource": "CheckRun", "field": "head_sha", "code": "custom", "message": "No commit found"}, "or so"],
    });
    world.server.on(COMMENTS, Reply::json(422, &said));
    let error = world.installation().create_comment(&repository(), 7, "the body").await.unwrap_err();
    insta::assert_snapshot!(error, @"POST /api/v3/repos/octo/hello/issues/7/comments: GitHub does not take the request: Validation Failed (head_sha: No commit found; or so)");
    let shown = format!("{error:?} {:?} {:?}", world.github, world.installation());
    assert!(!shown.contains("ghs_") && !shown.contains("the body") && !shown.contains("PRIVATE KEY"), "{shown}");
}

#[tokio::test]
async fn a_success_that_cannot_be_read_may_have_happened() {
    let world = World::with_tokens().await;
    world.server.on(COMMENTS, Reply::json(201, &json!({"id": "five"})));
    let error = world.installation().create_comment(&repository(), 7, "x").await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreadable { .. }) && error.may_have_happened(), "{error}");
}

#[tokio::test]
async fn what_is_no_json_was_answered_by_somebody_before_github_and_passes() {
    let world = World::with_tokens().await;
    let pull = "GET /api/v3/repos/octo/hello/pulls/7";
    world.server.on(pull, Reply::empty(200)).on(pull, Reply::json(200, &json!({"number": "seven"})));
    for passes in [true, false] {
        let error = world.installation().get_pull_request(&repository(), 7).await.unwrap_err();
        assert!(matches!(error, GitHubError::Unreadable { .. }), "{error}");
        assert_eq!(error.is_transient(), passes, "{error}");
    }
}

#[tokio::test]
async fn lists_are_read_to_their_last_page() {
    let world = World::with_tokens().await;
    let path = "/api/v3/repos/octo/hello/issues/7/comments";
    let link =
        |page: &str| format!("<{}{}?page={page}>; rel=\"next\", <x>; rel=\"last\"", world.server.url, &path[1..]);
    let list = format!("GET {path}");
    world.server.on(&list, Reply::json(200, &json!([comment(1, &json!("a"))])).header("link", link("2")));
    world.server.on(&list, Reply::json(200, &json!([comment(2, &Value::Null)])).header("link", "<x>; rel=\"prev\""));
    let since = Some(NOW.parse().unwrap());
    let comments = world.installation().list_comments(&repository(), 7, since).await.unwrap();
    let read: Vec<_> = comments.iter().map(|comment| (comment.id, comment.body.as_str())).collect();
    assert_eq!(read, [(1, "a"), (2, "")]);
    let queries: Vec<_> = world.server.asked(&list).into_iter().map(|asked| asked.query).collect();
    assert_eq!(queries, ["since=2026-03-01T12%3A00%3A00Z&per_page=100", "page=2"]);
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for() {
    let world = World::with_tokens().await;
    let elsewhere = Server::start().await;
    let link = format!("<{}x>; rel=\"next\"", elsewhere.url);
    let list = "GET /api/v3/repos/octo/hello/issues/7/comments";
    world.server.on(list, Reply::json(200, &json!([])).header("link", link));
    let error = world.installation().list_comments(&repository(), 7, None).await.unwrap_err();
    assert!(matches!(error, GitHubError::Argument(_)), "{error}");
    assert_eq!(elsewhere.all().len(), 0);
}

fn check_run(id: u64, app: u64) -> Value {
    json!({
        "id": id, "name": "flowctl / release", "head_sha": "abc", "external_id": "execution", "status": "waiting",
        "conclusion": "startup_failure", "started_at": null, "completed_at": null, "html_url": "http://x",
        "app": {"id": app, "slug": "flowctl"}, "output": {"title": null, "summary": null, "annotations_count": 0},
    })
}

#[tokio::test]
async fn check_runs_are_written_as_documented_and_only_our_own_are_listed() {
    let world = World::with_tokens().await;
    world.server.on("POST /api/v3/repos/octo/hello/check-runs", Reply::json(201, &check_run(3, 99)));
    let now: Timestamp = NOW.parse().unwrap();
    let new = NewCheckRun {
        name: "flowctl / release".to_owned(),
        head_sha: "abc".to_owned(),
        fields: CheckRunUpdate {
            external_id: Some("execution".to_owned()),
            conclusion: Some(CheckConclusion::ActionRequired),
            completed_at: Some(now),
            output: Some(CheckOutput { title: "t".to_owned(), summary: "s".to_owned(), ..CheckOutput::default() }),
            actions: Some(vec![CheckAction {
                label: "Approve".to_owned(),
                description: "d".to_owned(),
                identifier: "approve".to_owned(),
            }]),
            ..CheckRunUpdate::default()
        },
    };
    let made = world.installation().create_check_run(&repository(), &new).await.unwrap();
    assert_eq!((made.id, made.status, made.conclusion), (3, CheckStatus::Other, Some(CheckConclusion::Other)));
    let sent = world.server.asked("POST /api/v3/repos/octo/hello/check-runs").remove(0).json();
    insta::assert_snapshot!(sent, @r#"{"name":"flowctl / release","head_sha":"abc","external_id":"execution","conclusion":"action_required","completed_at":"2026-03-01T12:00:00Z","output":{"title":"t","summary":"s"},"actions":[{"label":"Approve","description":"d","identifier":"approve"}]}"#);

    world.server.on("PATCH /api/v3/repos/octo/hello/check-runs/3", Reply::json(200, &check_run(3, 99)));
    let update = CheckRunUpdate { status: Some(CheckStatus::InProgress), ..CheckRunUpdate::default() };
    world.installation().update_check_run(&repository(), 3, &update).await.unwrap();
    let sent = world.server.asked("PATCH /api/v3/repos/octo/hello/check-runs/3").remove(0).json();
    assert_eq!(sent, json!({"status": "in_progress"}));

    let list = "GET /api/v3/repos/octo/hello/commits/topic%2Fone/check-runs";
    let runs = json!({"total_count": 2, "check_runs": [check_run(3, 99), check_run(4, 1)]});
    world.server.on(list, Reply::json(200, &runs));
    let query = CheckRunQuery { reference: "topic/one".to_owned(), check_name: Some("flowctl / release".to_owned()) };
    let runs = world.installation().list_check_runs(&repository(), &query).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [3]);
    assert_eq!(world.server.asked(list)[0].query, "filter=all&app_id=99&check_name=flowctl+%2F+release&per_page=100");
}

#[tokio::test]
async fn comments_are_patched_and_reactions_are_the_same_the_second_time() {
    let world = World::with_tokens().await;
    let one = "PATCH /api/v3/repos/octo/hello/issues/comments/5";
    world.server.on(one, Reply::json(200, &comment(5, &json!("new"))));
    world.installation().update_comment(&repository(), 5, "new").await.unwrap();
    assert_eq!(world.server.asked(one)[0].json(), json!({"body": "new"}));
    let reactions = "POST /api/v3/repos/octo/hello/issues/comments/5/reactions";
    let made = json!({"id": 1, "content": "eyes"});
    world.server.on(reactions, Reply::json(201, &made)).on(reactions, Reply::json(200, &made));
    for _ in 0..2 {
        world.installation().add_reaction_to_comment(&repository(), 5, Reaction::Eyes).await.unwrap();
    }
    let on_issue = "POST /api/v3/repos/octo/hello/issues/7/reactions";
    world.server.on(on_issue, Reply::json(201, &made));
    world.installation().add_reaction_to_issue(&repository(), 7, Reaction::ThumbsUp).await.unwrap();
    assert_eq!(world.server.asked(reactions)[0].json(), json!({"content": "eyes"}));
    assert_eq!(world.server.asked(on_issue)[0].json(), json!({"content": "+1"}));
}

#[tokio::test]
async fn the_finer_role_counts_and_a_role_of_ones_own_counts_as_its_base() {
    for (answer, expected) in [
        (json!({"permission": "admin", "role_name": "admin"}), Permission::Admin),
        (json!({"permission": "write", "role_name": "maintain"}), Permission::Maintain),
        (json!({"permission": "read", "role_name": "triage"}), Permission::Triage),
        (json!({"permission": "write", "role_name": "release captain"}), Permission::Write),
        (json!({"permission": "read"}), Permission::Read),
        (json!({"permission": "none", "role_name": ""}), Permission::None),
    ] {
        let world = World::with_tokens().await;
        let asked = "GET /api/v3/repos/octo/hello/collaborators/octocat/permission";
        world.server.on(asked, Reply::json(200, &answer));
        assert_eq!(world.installation().user_permission(&repository(), "octocat").await.unwrap(), expected, "{answer}");
        assert_eq!(world.installation().user_permission(&repository(), "nobody").await.unwrap(), Permission::None);
    }
}

#[tokio::test]
async fn membership_is_remembered_for_less_than_thirty_seconds_and_then_asked_for_with_its_etag() {
    let world = World::with_tokens().await;
    let asked = "GET /api/v3/orgs/octo/teams/leads/memberships/octocat";
    world.server.on(asked, Reply::json(200, &json!({"state": "active", "role": "member"})).header("etag", "\"one\""));
    world.server.on(asked, Reply::empty(304).header("etag", "\"one\""));
    world.server.on(asked, Reply::json(404, &json!({"message": "Not Found"})));
    world.server.on(asked, Reply::json(200, &json!({"state": "pending", "role": "member"})));
    let is_member = async || world.installation().team_membership("octo", "leads", "octocat").await.unwrap();
    assert!(is_member().await);
    world.clock.advance(SignedDuration::from_secs(29));
    assert!(is_member().await);
    assert_eq!(world.server.asked(asked).len(), 1);
    world.clock.advance(SignedDuration::from_secs(1));
    assert!(is_member().await, "not modified");
    assert_eq!(world.server.asked(asked)[1].header("if-none-match"), "\"one\"");
    world.clock.advance(SignedDuration::from_secs(29));
    assert!(is_member().await, "fresh again since it was confirmed");
    assert_eq!(world.server.asked(asked).len(), 2);
    world.clock.advance(SignedDuration::from_secs(1));
    assert!(!is_member().await, "removed");
    assert!(!is_member().await, "a no is never remembered; and an invitation is no membership");
    assert_eq!(world.server.asked(asked).len(), 4);
    assert_eq!(world.server.asked(asked)[3].header("if-none-match"), "", "what was removed is forgotten");
}

#[tokio::test]
async fn who_has_a_name_is_asked_once_a_minute_and_then_with_the_etag() {
    let world = World::with_tokens().await;
    let asked = "GET /api/v3/repos/octo/hello";
    world.server.on(asked, Reply::json(200, &json!({"id": 1})).header("etag", "\"one\""));
    world.server.on(asked, Reply::empty(304).header("etag", "\"one\""));
    world.server.on(asked, Reply::json(200, &json!({"id": 2})));
    let has_it = async || world.installation().repository_lately(&repository()).await.unwrap()["id"].as_u64();
    for (later, id, times) in [(0, 1, 1), (59, 1, 1), (1, 1, 2), (59, 1, 2), (1, 2, 3)] {
        world.clock.advance(SignedDuration::from_secs(later));
        assert_eq!(has_it().await, Some(id));
        assert_eq!(world.server.asked(asked).len(), times);
    }
    assert_eq!(world.server.asked(asked)[1].header("if-none-match"), "\"one\"");
    let anew = world.installation().repository_now(&repository()).await.unwrap();
    assert_eq!((anew["id"].as_u64(), world.server.asked(asked).len()), (Some(2), 4), "whoever doubts it asks");
}

#[tokio::test]
async fn a_team_is_read_whole() {
    let world = World::with_tokens().await;
    let members = "GET /api/v3/orgs/octo/teams/leads/members";
    let bot = json!({"id": 2, "login": "helper[bot]", "type": "Bot"});
    world.server.on(members, Reply::json(200, &json!([user(1, "octocat"), bot])));
    let read = world.installation().team_members("octo", "leads").await.unwrap();
    let read: Vec<_> = read.iter().map(|user| (user.id, user.login.as_str(), user.is_bot())).collect();
    assert_eq!(read, [(1, "octocat", false), (2, "helper[bot]", true)]);
    let error = world.installation().team_members("octo", "none").await.unwrap_err();
    assert!(matches!(error, GitHubError::NotFound { .. }), "{error}");
}

fn pull_request() -> Value {
    let repo = json!({"id": 1, "full_name": "octo/hello", "default_branch": "main"});
    json!({
        "number": 7, "state": "open", "draft": false, "merged": false, "title": "T", "body": null,
        "user": user(1, "octocat"), "head": {"ref": "topic", "sha": "abc", "repo": null, "user": null},
        "base": {"ref": "main", "sha": "def", "repo": repo}, "labels": [{"id": 1, "name": "release"}],
        "html_url": "http://x", "commits": 2, "updated_at": "2026-03-01T11:00:00Z",
    })
}

#[tokio::test]
async fn a_pull_request_with_a_deleted_fork_and_authors_without_account_is_read() {
    let world = World::with_tokens().await;
    world.server.on("GET /api/v3/repos/octo/hello/pulls/7", Reply::json(200, &pull_request()));
    let read = world.installation().get_pull_request(&repository(), 7).await.unwrap();
    assert_eq!((read.head.repo, read.body.as_str(), read.labels[0].name.as_str()), (None, "", "release"));
    assert_eq!(read.base.repo.unwrap().name, repository());
    let git = json!({"message": "m", "author": {"name": "A", "email": "a@example.com"}, "committer": null});
    let commits = json!([
        {"sha": "abc", "author": user(1, "octocat"), "committer": {}, "commit": git},
        {"sha": "def", "author": null, "committer": user(2, "hubot"), "commit": git},
    ]);
    world.server.on("GET /api/v3/repos/octo/hello/pulls/7/commits", Reply::json(200, &commits));
    let read = world.installation().list_pull_request_commits(&repository(), 7).await.unwrap();
    let ids = |user: &Option<User>| user.as_ref().map(|user| user.id);
    let people: Vec<_> = read.iter().map(|commit| (ids(&commit.author), ids(&commit.committer))).collect();
    assert_eq!(people, [(Some(1), None), (None, Some(2))]);
}

#[tokio::test]
async fn beyond_what_github_lists_the_comparison_tells_all_commits() {
    let world = World::with_tokens().await;
    let commit = json!({"sha": "abc", "author": user(1, "octocat"), "committer": null, "commit": {"message": "m"}});
    let listed: Vec<_> = std::iter::repeat_n(commit.clone(), 250).collect();
    let compared: Vec<_> = std::iter::repeat_n(commit, 300).collect();
    world.server.on("GET /api/v3/repos/octo/hello/pulls/7", Reply::json(200, &pull_request()));
    world.server.on("GET /api/v3/repos/octo/hello/pulls/7/commits", Reply::json(200, &json!(listed)));
    let compare = "GET /api/v3/repos/octo/hello/compare/def...abc";
    world.server.on(compare, Reply::json(200, &json!({"commits": compared})));
    assert_eq!(world.installation().list_pull_request_commits(&repository(), 7).await.unwrap().len(), 300);
}

#[tokio::test]
async fn reviews_and_branches_are_read() {
    let world = World::with_tokens().await;
    let review = |state: &str| {
        json!({
            "id": 4, "user": null, "body": "", "state": state, "commit_id": "abc", "submitted_at": null,
            "html_url": "http://x",
        })
    };
    let states = ["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING", "approved", "NEW"];
    let reviews: Vec<_> = states.into_iter().map(review).collect();
    world.server.on("GET /api/v3/repos/octo/hello/pulls/7/reviews", Reply::json(200, &json!(reviews)));
    world.server.on("GET /api/v3/repos/octo/hello/pulls/7/reviews/4", Reply::json(200, &review("APPROVED")));
    let read = world.installation().list_reviews(&repository(), 7).await.unwrap();
    use ReviewState::{Approved, ChangesRequested, Commented, Dismissed, Other, Pending};
    let states: Vec<_> = read.iter().map(|review| review.state).collect();
    assert_eq!(states, [Approved, ChangesRequested, Commented, Dismissed, Pending, Approved, Other]);
    assert_eq!(world.installation().get_review(&repository(), 7, 4).await.unwrap().commit_id.as_deref(), Some("abc"));
    let branch = "GET /api/v3/repos/octo/hello/branches/topic%2Fone";
    world.server.on(branch, Reply::json(200, &json!({"name": "topic/one", "commit": {"sha": "abc"}})));
    assert_eq!(world.installation().branch(&repository(), "topic/one").await.unwrap().commit.sha, "abc");
}

#[tokio::test]
async fn a_name_that_would_climb_out_of_the_path_is_not_sent() {
    let world = World::with_tokens().await;
    for login in ["", ".", ".."] {
        let error = world.installation().user_permission(&repository(), login).await.unwrap_err();
        assert!(matches!(error, GitHubError::Argument(_)), "{login}: {error}");
    }
    assert_eq!(world.server.all().len(), 0);
    world.installation().user("a/../b?c#d").await.unwrap_err();
    assert_eq!(world.server.all().last().unwrap().path, "/api/v3/users/a%2F..%2Fb%3Fc%23d");
}

#[tokio::test]
async fn deliveries_are_read_back_to_a_time_and_sent_again_by_id() {
    let world = World::new().await;
    let delivery = |id: u64, at: &str, code: u16| {
        json!({
            "id": id, "guid": format!("g{id}"), "delivered_at": at, "redelivery": false, "duration": 0.1,
            "status": "x", "status_code": code, "event": "issue_comment", "action": "created",
            "installation_id": 42, "repository_id": null,
        })
    };
    let list = "GET /api/v3/app/hook/deliveries";
    let next = format!("<{}api/v3/app/hook/deliveries?cursor=c>; rel=\"next\"", world.server.url);
    let first = json!([delivery(12_345_678_901_234_567_890, "2026-03-01T11:59:00Z", 200)]);
    let second = json!([delivery(2, "2026-03-01T11:00:00Z", 502), delivery(1, "2026-03-01T10:00:00Z", 502)]);
    world.server.on(list, Reply::json(200, &first).header("link", next.clone()));
    world.server.on(list, Reply::json(200, &second).header("link", next));
    let read = world.github.app().deliveries("2026-03-01T10:30:00Z".parse().unwrap(), None).await.unwrap();
    assert_eq!(read.older, None);
    let read: Vec<_> = read.shown.iter().map(|delivery| (delivery.id, delivery.arrived())).collect();
    assert_eq!(read, [(12_345_678_901_234_567_890, true), (2, false)]);
    assert_eq!(world.server.asked(list).len(), 2);
    world.server.on("POST /api/v3/app/hook/deliveries/2/attempts", Reply::json(202, &json!({})));
    world.github.app().redeliver(2).await.unwrap();
}

#[tokio::test]
async fn installations_are_found() {
    let world = World::new().await;
    let installation = json!({
        "id": 42, "account": {"id": 7, "login": "octo", "type": "Organization"}, "suspended_at": null,
        "permissions": {"checks": "write"}, "events": ["issue_comment"],
    });
    world.server.on("GET /api/v3/repos/octo/hello/installation", Reply::json(200, &installation));
    world.server.on("GET /api/v3/app/installations", Reply::json(200, &json!([installation])));
    world.server.on("GET /api/v3/app/installations/42", Reply::json(200, &installation));
    let found = world.github.app().repository_installation(&repository()).await.unwrap();
    assert_eq!((found.id, found.account.as_ref().unwrap().kind), (InstallationId(42), UserKind::Organization));
    assert_eq!(world.github.app().installations().await.unwrap(), std::slice::from_ref(&found));
    assert_eq!(world.github.app().installation(InstallationId(42)).await.unwrap(), found);
}
