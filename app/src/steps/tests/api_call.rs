//! `api_call` against a server on this machine.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use flowctl_core::expression::SecretPart;
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;

use super::server::{Server, json_answer};
use super::*;

fn secrets() -> Arc<dyn Secrets> {
    let secrets: BTreeMap<String, SecretString> =
        [("TOKEN", "s3cret-tok/en")].map(|(name, value)| (name.to_owned(), SecretString::from(value))).into();
    Arc::new(secrets)
}

fn performer(options: OutgoingOptions) -> ApiCallPerformer {
    ApiCallPerformer::new(Outgoing::new(options).unwrap(), secrets(), clock())
}

async fn call(input: Value) -> Performed {
    call_with(input, Vec::new()).await
}

async fn call_with(input: Value, secret_texts: Vec<SecretText>) -> Performed {
    let options = OutgoingOptions { allow_private_networks: true, ..OutgoingOptions::default() };
    performer(options).perform(attempt(input, secret_texts)).await
}

fn bearer() -> Vec<SecretText> {
    let parts = vec![SecretPart::Literal("Bearer ".to_owned()), SecretPart::Secret("TOKEN".to_owned())];
    vec![SecretText { pointer: "/headers/authorization".to_owned(), parts }]
}

#[tokio::test]
async fn a_call_carries_what_the_definition_says_and_its_key() {
    let server = Server::start(|_| json_answer(201, json!({"id": 7, "ok": true}))).await;
    let input = json!({
        "method": "POST",
        "url": server.url("/notes?fixed=1"),
        "query": {"q": "a b&c", "page": 2, "tag": ["x", "y"], "none": null},
        "headers": {"X-Trace": "abc", "X-Number": 7, "X-None": null},
        "body": {"title": "Grüße", "list": [1, null]},
        "expect_status": ["2xx"],
        "expect_schema": {"type": "object", "required": ["id"]}
    });
    let output = call(input).await.result.unwrap();
    assert_eq!((&output["status"], &output["body"]), (&json!(201), &json!({"id": 7, "ok": true})));
    assert_eq!(output["headers"]["content-type"], "application/json; charset=utf-8");
    let seen = server.seen().remove(0);
    assert_eq!(seen.line, "POST /notes?fixed=1&q=a+b%26c&page=2&tag=x&tag=y");
    assert_eq!(seen.body, "{\"title\":\"Grüße\",\"list\":[1,null]}");
    assert_eq!(seen.header("idempotency-key"), Some("the key"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!((seen.header("x-trace"), seen.header("x-number")), (Some("abc"), Some("7")));
    assert_eq!(seen.header("x-none"), None);
    assert!(seen.header("user-agent").unwrap().starts_with("flowctl/"));
}

#[tokio::test]
async fn what_the_author_sets_goes_before_what_flowctl_would_set() {
    let server = Server::start(|_| StatusCode::OK.into_response()).await;
    let headers = json!({"idempotency-key": "mine", "Content-Type": "application/xml"});
    let input = json!({"method": "PUT", "url": server.url("/"), "headers": headers, "body_text": "<a/>"});
    assert_eq!(call(input).await.result.unwrap()["body"], "");
    let seen = server.seen().remove(0);
    assert_eq!((seen.header("idempotency-key"), seen.header("content-type")), (Some("mine"), Some("application/xml")));
    assert_eq!(seen.body, "<a/>");
}

#[tokio::test]
async fn statuses_are_errors_of_their_class() {
    let cases = [
        (400, ErrorClass::Refused),
        (401, ErrorClass::Refused),
        (403, ErrorClass::Refused),
        (404, ErrorClass::Refused),
        (408, ErrorClass::Timeout),
        (422, ErrorClass::Refused),
        (425, ErrorClass::RateLimited),
        (429, ErrorClass::RateLimited),
        (500, ErrorClass::ServerError),
        (502, ErrorClass::ServerError),
        (503, ErrorClass::ServerError),
    ];
    for (status, class) in cases {
        let server = Server::start(move |_| json_answer(status, json!({"error": "no"}))).await;
        let performed = call(json!({"url": server.url("/x?token=1")})).await;
        let (found, message) = failure(performed);
        assert_eq!(found, class, "{status}");
        let reason = StatusCode::from_u16(status).unwrap();
        assert_eq!(message, format!("GET {} answered {reason}: {{\"error\":\"no\"}}", server.url("/x")));
        assert_eq!(server.seen().len(), 1, "who repeats is the engine");
    }
}

#[tokio::test]
async fn what_is_expected_is_no_error() {
    let server = Server::start(|_| json_answer(404, json!({"found": false}))).await;
    for expected in [json!([200, 404]), json!(["4xx"]), json!(["404"])] {
        let output = call(json!({"url": server.url("/"), "expect_status": expected})).await.result.unwrap();
        assert_eq!((&output["status"], &output["body"]), (&json!(404), &json!({"found": false})));
    }
    let performed = call(json!({"url": server.url("/"), "expect_status": ["2xx"]})).await;
    assert_eq!(failure(performed).0, ErrorClass::Refused);
    let (_, message) = failure(call(json!({"url": server.url("/"), "expect_status": ["often"]})).await);
    assert_eq!(message, "`expect.status`: `often` is no status and no class such as `2xx`");
}

#[tokio::test]
async fn the_other_side_can_ask_to_be_left_alone() {
    let cases = [
        (429, "7", ErrorClass::RateLimited, Some(7_000)),
        (503, "120", ErrorClass::ServerError, Some(120_000)),
        (403, "60", ErrorClass::RateLimited, Some(60_000)),
        (429, "Mon, 02 Mar 2026 09:01:30 GMT", ErrorClass::RateLimited, Some(90_000)),
        (429, "Mon, 02 Mar 2026 08:00:00 GMT", ErrorClass::RateLimited, Some(0)),
        (429, "31536000", ErrorClass::RateLimited, Some(86_400_000)),
        (429, "soon", ErrorClass::RateLimited, None),
    ];
    for (status, asked, class, expected) in cases {
        let server =
            Server::start(move |_| (StatusCode::from_u16(status).unwrap(), [("retry-after", asked)]).into_response())
                .await;
        let error = call(json!({"url": server.url("/")})).await.result.unwrap_err();
        assert_eq!((error.class, error.retry_after_ms), (class, expected), "{asked}");
    }
}

#[tokio::test]
async fn an_answer_of_another_form_is_a_schema_error() {
    let server = Server::start(|_| json_answer(200, json!({"celsius": "warm"}))).await;
    let schema =
        json!({"type": "object", "required": ["celsius", "at"], "properties": {"celsius": {"type": "number"}}});
    let performed = call(json!({"url": server.url("/now"), "expect_schema": schema})).await;
    let expected = format!(
        "the answer of GET {} does not have the expected form: `celsius` must be a number; `at` is required",
        server.url("/now")
    );
    let (class, message) = failure(performed);
    assert_eq!(class, ErrorClass::Schema);
    let mut parts: Vec<&str> = message.split(": ").collect();
    let faults = parts.pop().unwrap();
    assert!(expected.starts_with(&parts.join(": ")), "{message}");
    let mut faults: Vec<&str> = faults.split("; ").collect();
    faults.sort_unstable();
    assert_eq!(faults, ["`at` is required", "`celsius` must be a number"]);
}

#[tokio::test]
async fn something_called_json_that_is_none_is_a_schema_error() {
    let server = Server::start(|_| ([("content-type", "application/problem+json")], "<html>").into_response()).await;
    let (class, message) = failure(call(json!({"url": server.url("/")})).await);
    assert_eq!(class, ErrorClass::Schema);
    assert!(message.contains("that it calls JSON and that is none"), "{message}");
}

#[tokio::test]
async fn bodies_are_read_by_what_they_are() {
    let cases: [(&str, &[u8], Value); 5] = [
        ("text/plain", b"{\"not\": \"parsed\"}", json!("{\"not\": \"parsed\"}")),
        ("application/json", b"", Value::Null),
        ("application/vnd.api+json", b"[1]", json!([1])),
        ("text/html; charset=utf-8", "ä".as_bytes(), json!("ä")),
        ("image/png", b"\x89PNG", json!("\u{fffd}PNG")),
    ];
    for (content_type, body, expected) in cases {
        let server = Server::start(move |_| ([("content-type", content_type)], Body::from(body)).into_response()).await;
        assert_eq!(call(json!({"url": server.url("/")})).await.result.unwrap()["body"], expected, "{content_type}");
    }
    let server = Server::start(|_| json_answer(200, json!({"a": 1}))).await;
    let output = call(json!({"method": "HEAD", "url": server.url("/")})).await.result.unwrap();
    assert_eq!(output["body"], Value::Null);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused() {
    let huge = "x".repeat(1024 * 1024 + 1);
    let whole = huge.clone();
    let announced = Server::start(move |_| whole.clone().into_response()).await;
    // The same without a length in front.
    let streamed = Server::start(move |_| {
        let chunks: Vec<Result<String, std::io::Error>> =
            huge.as_bytes().chunks(64 * 1024).map(|chunk| Ok(String::from_utf8(chunk.to_vec()).unwrap())).collect();
        Body::from_stream(futures_util::stream::iter(chunks)).into_response()
    })
    .await;
    for server in [announced, streamed] {
        let expected = format!("GET {}: the answer is larger than 1 MiB", server.url("/"));
        assert_eq!(failure(call(json!({"url": server.url("/")})).await), (ErrorClass::Refused, expected));
    }
    let fits = Server::start(|_| "x".repeat(1024 * 1024).into_response()).await;
    assert!(call(json!({"url": fits.url("/")})).await.result.is_ok());
}

#[tokio::test]
async fn a_server_that_does_not_answer_times_out() {
    // Accepts connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let options = OutgoingOptions { allow_private_networks: true, ..OutgoingOptions::default() };
    let mut attempt = attempt(json!({"url": url}), Vec::new());
    attempt.deadline = Some(now().checked_add(SignedDuration::from_millis(50)).unwrap());
    let performed = performer(options.clone()).perform(attempt.clone()).await;
    let expected = "the call took longer than the step's `timeout`".to_owned();
    assert_eq!(failure(performed), (ErrorClass::Timeout, expected));
    // A deadline that has passed already leaves no time at all.
    attempt.deadline = Some(now().checked_sub(SignedDuration::from_secs(1)).unwrap());
    assert_eq!(failure(performer(options).perform(attempt).await).0, ErrorClass::Timeout);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_network_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (class, message) = failure(call(json!({"url": format!("http://{address}/x?key=1")})).await);
    assert_eq!(class, ErrorClass::Network);
    let start = format!("GET http://{address}/x: {address} cannot be reached: ");
    assert!(message.starts_with(&start), "{message}");
    assert!(!message.contains("key=1"), "{message}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_network_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let breaking = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this";
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
    });
    assert_eq!(failure(call(json!({"url": format!("http://{address}/")})).await).0, ErrorClass::Network);
    breaking.await.unwrap();
}

#[tokio::test]
async fn private_addresses_are_refused_before_anything_is_sent() {
    let server = Server::start(|_| StatusCode::OK.into_response()).await;
    let port = server.address.port();
    let urls = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
    ];
    for url in urls {
        let performed = performer(OutgoingOptions::default()).perform(attempt(json!({"url": url}), Vec::new())).await;
        let (class, message) = failure(performed);
        assert_eq!(class, ErrorClass::Refused, "{url}");
        assert!(message.contains("private network"), "{url}: {message}");
        assert!(message.contains("FLOWCTL_ALLOW_PRIVATE_NETWORKS"), "{url}: {message}");
    }
    assert_eq!(server.seen(), []);
}

#[tokio::test]
async fn the_operators_own_address_is_exempt() {
    let server = Server::start(|_| StatusCode::OK.into_response()).await;
    let other = Server::start(|_| StatusCode::OK.into_response()).await;
    let options =
        OutgoingOptions { exempt: vec![server.url("/api/v3").parse().unwrap()], ..OutgoingOptions::default() };
    let performer = performer(options);
    assert!(performer.perform(attempt(json!({"url": server.url("/x")}), Vec::new())).await.result.is_ok());
    let performed = performer.perform(attempt(json!({"url": other.url("/x")}), Vec::new())).await;
    assert_eq!(failure(performed).0, ErrorClass::Refused);
}

#[tokio::test]
async fn the_github_of_the_settings_may_be_called_in_a_private_network() {
    let [api, web, other] = [0; 3].map(|_| Server::start(|_| StatusCode::OK.into_response()));
    let (api, web, other) = (api.await, web.await, other.await);
    let given = [
        ("FLOWCTL_GITHUB_APP_ID", "7".to_owned()),
        ("FLOWCTL_GITHUB_PRIVATE_KEY", include_str!("../../github/client/testdata/app-key.pem").to_owned()),
        ("FLOWCTL_GITHUB_WEBHOOK_SECRET", "s".to_owned()),
        ("FLOWCTL_GITHUB_API_URL", api.url("/api/v3")),
        ("FLOWCTL_GITHUB_URL", web.url("/")),
    ];
    let given = given.into_iter().map(|(name, value)| (name.to_owned(), value));
    let (settings, _) = Settings::load(None, given).unwrap();
    let performers = Performers::from_settings(&settings, true, clock()).unwrap();
    let performer = performers.of(StepType::ApiCall).unwrap();
    for own in [&api, &web] {
        assert!(performer.perform(attempt(json!({"url": own.url("/x")}), Vec::new())).await.result.is_ok());
    }
    let performed = performer.perform(attempt(json!({"url": other.url("/x")}), Vec::new())).await;
    assert_eq!(failure(performed).0, ErrorClass::Refused);
    assert_eq!(other.seen(), []);
}

#[tokio::test]
async fn a_redirect_into_a_private_network_is_refused() {
    let inside = Server::start(|_| StatusCode::OK.into_response()).await;
    let location = inside.url("/secret");
    let outside = Server::start(move |_| (StatusCode::FOUND, [("location", location.clone())]).into_response()).await;
    // The first address is allowed as the operator's own; what it redirects to is not.
    let options = OutgoingOptions { exempt: vec![outside.url("/").parse().unwrap()], ..OutgoingOptions::default() };
    let performed = performer(options).perform(attempt(json!({"url": outside.url("/")}), Vec::new())).await;
    let (class, message) = failure(performed);
    assert_eq!(class, ErrorClass::Refused);
    assert!(message.contains("private network"), "{message}");
    assert_eq!(inside.seen(), []);
}

#[tokio::test]
async fn redirects_are_followed_as_http_says() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "POST /303" => (StatusCode::SEE_OTHER, [("location", "/end")]).into_response(),
        "POST /302" => (StatusCode::FOUND, [("location", "/end")]).into_response(),
        "POST /307" => (StatusCode::TEMPORARY_REDIRECT, [("location", "/end")]).into_response(),
        "PUT /301" => (StatusCode::MOVED_PERMANENTLY, [("location", "end")]).into_response(),
        _ => json_answer(200, json!({"method": seen.line.split(' ').next(), "body": seen.body})),
    })
    .await;
    let cases = [
        ("POST", "/303", "GET", ""),
        ("POST", "/302", "GET", ""),
        ("POST", "/307", "POST", "1"),
        ("PUT", "/301", "PUT", "1"),
    ];
    for (method, path, expected, body) in cases {
        let output = call(json!({"method": method, "url": server.url(path), "body": 1})).await.result.unwrap();
        assert_eq!(output["body"], json!({"method": expected, "body": body}), "{path}");
    }
    assert!(server.seen().iter().all(|seen| seen.header("idempotency-key") == Some("the key")));
}

#[tokio::test]
async fn a_redirect_that_is_expected_is_an_answer() {
    let server = Server::start(|_| (StatusCode::FOUND, [("location", "/end")]).into_response()).await;
    let output = call(json!({"url": server.url("/"), "expect_status": [302]})).await.result.unwrap();
    assert_eq!((&output["status"], &output["headers"]["location"]), (&json!(302), &json!("/end")));
    assert_eq!(server.lines(), ["GET /"]);
}

#[tokio::test]
async fn redirects_end_somewhere() {
    let server = Server::start(|_| (StatusCode::FOUND, [("location", "/again")]).into_response()).await;
    let (class, message) = failure(call(json!({"url": server.url("/")})).await);
    assert_eq!(class, ErrorClass::Refused);
    assert!(message.ends_with("the answer redirects more than 5 times"), "{message}");
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn credentials_never_follow_a_redirect_to_another_host() {
    let elsewhere = Server::start(|_| StatusCode::OK.into_response()).await;
    let location = elsewhere.url("/take?it=1");
    let server =
        Server::start(move |_| (StatusCode::TEMPORARY_REDIRECT, [("location", location.clone())]).into_response())
            .await;
    let with_secret = call_with(json!({"url": server.url("/"), "headers": {"authorization": "***"}}), bearer()).await;
    let with_header = call(json!({"url": server.url("/"), "headers": {"Authorization": "Basic abc"}})).await;
    let with_cookie = call(json!({"url": server.url("/"), "headers": {"cookie": "session=1"}})).await;
    for performed in [with_secret, with_header, with_cookie] {
        let (class, message) = failure(performed);
        assert_eq!(class, ErrorClass::Refused);
        let expected = format!(
            "GET {}: the answer redirects to http://{}, another host, and the call carries credentials: call that \
             address directly",
            server.url("/"),
            elsewhere.address
        );
        assert_eq!(message, expected);
    }
    assert_eq!(elsewhere.seen(), []);
    // Without credentials it is followed, and with them on the same host.
    assert!(call(json!({"url": server.url("/")})).await.result.is_ok());
    assert_eq!(elsewhere.lines(), ["GET /take?it=1"]);
    let home = Server::start(|seen| match seen.line.as_str() {
        "GET /" => (StatusCode::FOUND, [("location", "/end")]).into_response(),
        _ => StatusCode::OK.into_response(),
    })
    .await;
    let input = json!({"url": home.url("/"), "headers": {"authorization": "***"}});
    assert!(call_with(input, bearer()).await.result.is_ok());
    assert_eq!(home.seen()[1].header("authorization"), Some("Bearer s3cret-tok/en"));
}

#[tokio::test]
async fn a_header_of_an_unusual_name_followed_a_redirect_to_another_host() {
    let elsewhere = Server::start(|_| StatusCode::OK.into_response()).await;
    let location = elsewhere.url("/take");
    let server =
        Server::start(move |_| (StatusCode::TEMPORARY_REDIRECT, [("location", location.clone())]).into_response())
            .await;
    let headers = json!({"x-auth-token": "abc", "private-token": "def", "content-type": "text/csv"});
    let input = json!({"method": "POST", "url": server.url("/"), "headers": headers, "body_text": "a,b"});
    assert!(call(input).await.result.is_ok());
    let seen = &elsewhere.seen()[0];
    assert_eq!((seen.header("x-auth-token"), seen.header("private-token")), (None, None));
    // The body went along, with how it is to be read; so did the key, which is flowctl's own.
    assert_eq!((seen.body.as_str(), seen.header("content-type")), ("a,b", Some("text/csv")));
    assert_eq!(seen.header("idempotency-key"), Some("the key"));
    assert_eq!(server.seen()[0].header("x-auth-token"), Some("abc"));
    // A key that the definition sets is the definition's.
    let input = json!({"url": server.url("/"), "headers": {"Idempotency-Key": "order-7"}});
    assert!(call(input).await.result.is_ok());
    assert_eq!(elsewhere.seen()[1].header("idempotency-key"), None);
}

#[tokio::test]
async fn a_secret_reaches_the_other_side_and_never_comes_back() {
    let server = Server::start(|seen| {
        let echo = seen.header("authorization").unwrap_or_default().to_owned();
        let headers = [("x-echo", echo.clone()), ("set-cookie", "session=abc".to_owned())];
        (headers, axum::Json(json!({"echo": echo, (echo.clone()): [echo], "line": seen.line}))).into_response()
    })
    .await;
    let mut texts = bearer();
    let secret = vec![SecretPart::Secret("TOKEN".to_owned())];
    texts.push(SecretText { pointer: "/query/key".to_owned(), parts: secret });
    let input = json!({"url": server.url("/"), "headers": {"authorization": "***"}, "query": {"key": "***"}});
    let output = call_with(input, texts).await.result.unwrap();
    let seen = server.seen().remove(0);
    assert_eq!(seen.header("authorization"), Some("Bearer s3cret-tok/en"));
    assert_eq!(seen.line, "GET /?key=s3cret-tok%2Fen");
    assert_eq!(output["body"], json!({"echo": "Bearer ***", "Bearer ***": ["Bearer ***"], "line": "GET /?key=***"}));
    assert_eq!(output["headers"]["x-echo"], "Bearer ***");
    assert_eq!(output["headers"]["set-cookie"], "***");
    assert!(!output.to_string().contains("s3cret"));
}

#[tokio::test]
async fn a_secret_never_comes_back_in_an_error() {
    let server = Server::start(|seen| {
        let echo = seen.header("authorization").unwrap_or_default().to_owned();
        (StatusCode::UNAUTHORIZED, format!("{echo} is no valid token")).into_response()
    })
    .await;
    let input = json!({"url": server.url("/"), "headers": {"authorization": "***"}});
    let (_, message) = failure(call_with(input, bearer()).await);
    assert_eq!(message, format!("GET {} answered 401 Unauthorized: Bearer *** is no valid token", server.url("/")));
    // Nor where the address itself holds it and cannot be reached.
    let url = vec![SecretText {
        pointer: "/url".to_owned(),
        parts: vec![SecretPart::Literal("http://127.0.0.1:1/hook/".to_owned()), SecretPart::Secret("TOKEN".to_owned())],
    }];
    let (class, message) = failure(call_with(json!({"url": "***"}), url).await);
    assert_eq!(class, ErrorClass::Network);
    assert!(message.starts_with("GET http://127.0.0.1:1/hook/***: "), "{message}");
}

#[tokio::test]
async fn a_secret_where_an_answer_is_cut_leaves_no_part_of_itself_in_the_error() {
    // Every place of the cut (at 300 characters) within the echoed token, and just before and after it.
    for before in 275..=305_usize {
        let server = Server::start(move |seen| {
            let echo = seen.header("x-key").unwrap_or_default();
            (StatusCode::UNAUTHORIZED, format!("{}{echo}{}", "x".repeat(before), "y".repeat(50))).into_response()
        })
        .await;
        let parts = vec![SecretPart::Secret("TOKEN".to_owned())];
        let texts = vec![SecretText { pointer: "/headers/x-key".to_owned(), parts }];
        let input = json!({"url": server.url("/"), "headers": {"x-key": "***"}});
        let (_, message) = failure(call_with(input, texts).await);
        assert_eq!(server.seen()[0].header("x-key"), Some("s3cret-tok/en"));
        let body = message.split("401 Unauthorized: ").nth(1).unwrap();
        assert!(body.chars().all(|character| "xy* …".contains(character)), "{before}: {body}");
    }
}

#[tokio::test]
async fn a_secret_that_is_not_set_fails_before_anything_is_sent() {
    let server = Server::start(|_| StatusCode::OK.into_response()).await;
    let texts = vec![SecretText {
        pointer: "/headers/authorization".to_owned(),
        parts: vec![SecretPart::Secret("OTHER".to_owned())],
    }];
    let performed = call_with(json!({"url": server.url("/"), "headers": {"authorization": "***"}}), texts).await;
    let expected = "the secret `OTHER` is not set; the server reads it from FLOWCTL_SECRET_OTHER".to_owned();
    assert_eq!(failure(performed), (ErrorClass::Refused, expected));
    assert_eq!(server.seen(), []);
}

#[tokio::test]
async fn a_request_that_cannot_be_made_says_which_field_is_wrong() {
    let cases = [
        (json!({"url": "example"}), "`url`: `example` is no address: relative URL without a base"),
        (
            json!({"url": "ftp://example.com/"}),
            "`url`: `ftp:` is no scheme that can be called; write `https:` or `http:`",
        ),
        (
            json!({"url": "file:///etc/passwd"}),
            "`url`: `file:` is no scheme that can be called; write `https:` or `http:`",
        ),
        (json!({"url": "https://example.com", "method": "GO AWAY"}), "`method`: `GO AWAY` is no HTTP method"),
        (json!({"url": "https://example.com", "headers": {"a b": "c"}}), "`headers`: `a b` is no name of a header"),
        (
            json!({"url": "https://example.com", "headers": {"x-a": "b\nc: d"}}),
            "`headers.x-a` has characters that no header can carry",
        ),
        (
            json!({"url": "https://example.com", "headers": {"Host": "other"}}),
            "`headers.Host` is set by flowctl itself; leave it out",
        ),
        (
            json!({"url": "https://example.com", "query": {"q": {"a": 1}}}),
            "`query.q` must be a text, a number or a truth",
        ),
        (
            json!({"url": "https://example.com", "body": 1, "body_text": "1"}),
            "`body` and `body_text` cannot both be sent",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(failure(call(input).await).1, expected);
    }
}
