//! Git's smart HTTP protocol (versions 0 to 2), spoken by the real `git http-backend` over CGI.
//! Who may ask is decided before this room is entered.
//! Source: git documentation, git-http-backend(1) and gitprotocol-http(5).

use std::path::Path;
use std::process::Stdio;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// One request of a git client.
#[derive(Debug)]
pub(crate) struct SmartRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// What follows the repository's folder: `/info/refs`, `/git-upload-pack`, `/git-receive-pack`.
    pub service_path: String,
    /// The query string without `?`.
    pub query: String,
    /// The `Content-Type` header.
    pub content_type: String,
    /// The `Content-Encoding` header; git compresses large requests.
    pub content_encoding: String,
    /// The `Git-Protocol` header, `version=2` for protocol version 2.
    pub protocol: String,
    /// Who pushes; empty for readers.
    pub user: String,
    /// The body.
    pub body: Bytes,
}

/// Runs the request against the bare repository at `path`.
///
/// # Errors
/// `git` is not installed or broke off.
pub(crate) async fn serve(path: &Path, request: SmartRequest) -> std::io::Result<Response> {
    let root = path.parent().unwrap_or(path);
    let folder = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("PATH_INFO", format!("/{folder}{}", request.service_path))
        .env("REQUEST_METHOD", &request.method)
        .env("QUERY_STRING", &request.query)
        .env("CONTENT_TYPE", &request.content_type)
        .env("HTTP_CONTENT_ENCODING", &request.content_encoding)
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("GIT_PROTOCOL", &request.protocol)
        .env("REMOTE_USER", &request.user)
        .env("REMOTE_ADDR", "127.0.0.1")
        // The bare repository may belong to another user than the one who runs us (a mounted volume).
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let input = child.stdin.take();
    let body = request.body;
    let feed = async move {
        if let Some(mut input) = input {
            // A program that ends early closes its input; its answer says why.
            let _ = input.write_all(&body).await;
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    let output = output?;
    if !output.stderr.is_empty() {
        tracing::debug!(stderr = %String::from_utf8_lossy(&output.stderr), "git http-backend");
    }
    Ok(answer(&output.stdout))
}

/// Turns a CGI answer (headers, empty line, body) into an HTTP one.
fn answer(output: &[u8]) -> Response {
    let (head, body) = split_head(output);
    let mut response = Response::new(Body::from(Bytes::copy_from_slice(body)));
    for line in String::from_utf8_lossy(head).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            *response.status_mut() = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    if head.is_empty() {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    response
}

fn split_head(output: &[u8]) -> (&[u8], &[u8]) {
    for mark in [b"\r\n\r\n".as_slice(), b"\n\n".as_slice()] {
        if let Some(at) = output.windows(mark.len()).position(|window| window == mark) {
            return (&output[..at], &output[at + mark.len()..]);
        }
    }
    (&[], output)
}
