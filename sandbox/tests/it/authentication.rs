//! Who is believed, and what GitHub says to the others.

use std::time::Duration;

use flowctl_sandbox::{Fault, FaultRule, Sandbox};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stage::{REPOSITORY, Stage, stage, stage_with};

async fn refusal(stage: &Stage, claims: &Value) -> (u16, String) {
    let answer = stage.get("/app", &stage.jwt_with(claims)).await;
    (answer.status.as_u16(), answer.body["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn the_app_is_believed_by_its_signed_token() {
    let stage = stage().await;
    let answer = stage.get("/app", &stage.jwt()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["id"], json!(stage.sandbox.app().id));
    assert_eq!(answer.body["permissions"]["checks"], "write");
}

#[tokio::test]
async fn a_token_of_the_app_must_be_right_in_every_part() {
    let stage = stage().await;
    let now = jiff::Timestamp::now().as_second();
    let app = stage.sandbox.app().id;
    let table = [
        (
            json!({"iat": now - 60, "exp": now + 900, "iss": app}),
            401,
            "'Expiration time' claim ('exp') is too far in the future",
        ),
        (
            json!({"iat": now - 60, "exp": now - 1, "iss": app}),
            401,
            "'Expiration time' claim ('exp') must be a numeric value",
        ),
        (json!({"iat": now - 60, "iss": app}), 401, "'Expiration time' claim ('exp') must be a numeric value"),
        (json!({"iat": now + 120, "exp": now + 300, "iss": app}), 401, "'Issued at' claim ('iat') must be an Integer"),
        (json!({"exp": now + 300, "iss": app}), 401, "'Issued at' claim ('iat') must be an Integer"),
        (json!({"iat": now - 60, "exp": now + 300}), 401, "'Issuer' claim ('iss') must be an Integer"),
        (json!({"iat": now - 60, "exp": now + 300, "iss": 7}), 404, "Integration not found"),
    ];
    for (claims, status, message) in table {
        let (got, said) = refusal(&stage, &claims).await;
        assert_eq!(got, status, "{claims}");
        assert!(said.starts_with(message), "{claims}: {said}");
    }
    let other = Sandbox::builder().start().unwrap();
    let forged = Stage { sandbox: other, ..self::stage().await }.jwt();
    let answer = stage.get("/app", &forged).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body["message"].as_str()),
        (401, Some("A JSON web token could not be decoded"))
    );
}

#[tokio::test]
async fn installation_tokens_are_long_expire_and_can_be_revoked() {
    let stage = stage().await;
    let token = stage.token().await;
    assert!((480..560).contains(&token.len()) && token.matches('.').count() == 2, "{} characters", token.len());
    assert_eq!(stage.get("/installation/repositories", &token).await.body["total_count"], 1);
    stage.sandbox.advance_clock(Duration::from_secs(3_601)).unwrap();
    let late = stage.get("/installation/repositories", &token).await;
    assert_eq!((late.status.as_u16(), late.body["message"].as_str()), (401, Some("Bad credentials")));
    // The App's own token is made by the machine's clock and stays good.
    let again = stage.token().await;
    assert_eq!(stage.ask(Method::DELETE, "/installation/token", &again, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.get("/installation/repositories", &again).await.status, StatusCode::UNAUTHORIZED);
    let third = stage.token().await;
    stage.sandbox.faults.add(FaultRule::new(Fault::RevokeToken));
    assert_eq!(stage.get("/installation/repositories", &third).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_suspended_installation_may_do_nothing_until_it_is_back() {
    let stage = stage().await;
    let token = stage.token().await;
    stage.sandbox.suspend_installation(stage.installation).unwrap();
    let answer = stage.get(&format!("/repos/{REPOSITORY}"), &token).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body["message"].as_str()),
        (403, Some("This installation has been suspended"))
    );
    let path = format!("/app/installations/{}/access_tokens", stage.installation);
    assert_eq!(stage.ask(Method::POST, &path, &stage.jwt(), None).await.status, StatusCode::FORBIDDEN);
    stage.sandbox.unsuspend_installation(stage.installation).unwrap();
    assert_eq!(stage.get(&format!("/repos/{REPOSITORY}"), &token).await.status, StatusCode::OK);
    stage.sandbox.delete_installation(stage.installation).unwrap();
    assert_eq!(stage.get(&format!("/repos/{REPOSITORY}"), &token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stage.ask(Method::POST, &path, &stage.jwt(), None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_not_granted_is_refused() {
    let stage =
        stage_with(Sandbox::builder().permissions(&[("metadata", "read"), ("issues", "read"), ("contents", "read")]))
            .await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let comment = stage.repo(Method::POST, &format!("/issues/{number}/comments"), &token, json!({"body": "hi"})).await;
    assert_eq!(
        (comment.status.as_u16(), comment.body["message"].as_str()),
        (403, Some("Resource not accessible by integration"))
    );
    let run =
        stage.repo(Method::POST, "/check-runs", &token, json!({"name": "x", "head_sha": stage.head(number)})).await;
    assert_eq!(run.status, StatusCode::FORBIDDEN);
    assert_eq!(stage.get("/orgs/octo-org/teams/leads", &token).await.status, StatusCode::FORBIDDEN);
    assert_eq!(stage.get(&format!("/repos/{REPOSITORY}/issues/{number}"), &token).await.status, StatusCode::OK);
    assert!(stage.sandbox.comments(REPOSITORY, number).unwrap().is_empty());
}

#[tokio::test]
async fn a_repository_that_is_not_covered_does_not_exist() {
    let stage = stage().await;
    stage.sandbox.create_user("eve").unwrap();
    stage.sandbox.create_repository("eve/secret", &flowctl_sandbox::Files::new()).unwrap();
    let token = stage.token().await;
    assert_eq!(stage.get("/repos/eve/secret", &token).await.status, StatusCode::NOT_FOUND);
    stage.sandbox.select_repositories(stage.installation, Some(&[])).unwrap();
    assert_eq!(stage.get(&format!("/repos/{REPOSITORY}"), &token).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.get(&format!("/repos/{REPOSITORY}"), "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_request_without_user_agent_is_forbidden() {
    let stage = stage().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{}/app", stage.sandbox.api_url())).bearer_auth(stage.jwt()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await.unwrap().contains("User-Agent"));
}
