//! A client of a server's API: requests, pages, streams, and what is said where it does not answer. It decides nothing:
//! the server does.

mod stream;

use std::time::Duration;

use anyhow::{Context, anyhow};
use flowctl_app::api::problem::{MEDIA_TYPE, Problem};
use flowctl_app::api::{BASE, List};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::arguments::ServerArguments;

pub use stream::Message;

/// How long one answer may take, where the server takes no longer; streams have no end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to connect.
const CONNECTING: Duration = Duration::from_secs(10);
/// Items of one page.
const PAGE: usize = 200;

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
}

impl Client {
    /// A client of the server that the arguments name.
    pub fn new(arguments: &ServerArguments) -> anyhow::Result<Self> {
        let server = arguments.server.trim_end_matches('/').to_owned();
        if !server.starts_with("http://") && !server.starts_with("https://") {
            return Err(anyhow!(
                "`{server}` is no address of a server; FLOWCTL_SERVER is a URL such as http://127.0.0.1:8080"
            ));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECTING)
            .build()
            .context("the HTTP client cannot be set up")?;
        Ok(Self { http, server, token: arguments.token.clone().filter(|token| !token.is_empty()) })
    }

    /// What an address below the API's base answers.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<T> {
        self.read(self.request(Method::GET, path).query(query).timeout(PATIENCE)).await
    }

    /// What an address answers that is given a body.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let longer = flowctl_app::api::patience(&format!("{BASE}{path}"));
        let patience = longer.map_or(PATIENCE, |longer| longer + CONNECTING);
        self.read(self.request(Method::POST, path).json(body).timeout(patience)).await
    }

    /// The same with an idempotency key.
    pub async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        key: Option<&str>,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let request = self.request(Method::POST, path).json(body).timeout(PATIENCE);
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        self.read(request).await
    }

    /// Up to `most` items of a list, page by page; and whether there are more.
    pub async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        most: usize,
    ) -> anyhow::Result<(Vec<T>, bool)> {
        let mut items = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.push(("limit", (most - items.len()).clamp(1, PAGE).to_string()));
            query.extend(next.map(|next| ("cursor", next)));
            let page: List<T> = self.get(path, &query).await?;
            items.extend(page.items);
            next = page.next;
            if next.is_none() || items.len() >= most {
                let more = next.is_some() || items.len() > most;
                items.truncate(most);
                return Ok((items, more));
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{BASE}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let response = self.sound(request.send().await.map_err(|error| self.unreachable(&error))?).await?;
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no flowctl server, or another version of it", self.server))
    }

    /// The answer where it is a good one; otherwise what went wrong and what to do.
    async fn sound(&self, response: Response) -> anyhow::Result<Response> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let is_problem = response.headers().get("content-type").is_some_and(|kind| kind == MEDIA_TYPE);
        let text = response.text().await.unwrap_or_default();
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) if is_problem => Err(self.told(&problem)),
            _ => Err(anyhow!(
                "{} answered {status}, which no flowctl server does; is FLOWCTL_SERVER right?",
                self.server
            )),
        }
    }

    fn told(&self, problem: &Problem) -> anyhow::Error {
        let hint = match (problem.status, problem.name()) {
            (_, "token-missing") => {
                "\nset FLOWCTL_TOKEN to the token that the server was started with (its FLOWCTL_API_TOKEN)"
            }
            (_, "token-wrong") => "\nset FLOWCTL_TOKEN to that one",
            (_, "person-needed") => "\nname the person with --as LOGIN",
            _ => "",
        };
        let is_told = problem.errors.iter().all(|fault| problem.detail.contains(&fault.message));
        let in_detail = problem.errors.len() < 2 && is_told && !problem.detail.is_empty();
        let mut words = as_cause(if in_detail { &problem.detail } else { &problem.title });
        // What is told then is who else is needed.
        if in_detail && problem.name() == "ineligible" {
            words = format!("{}: {words}", as_cause(&problem.title));
        }
        if !in_detail {
            for fault in &problem.errors {
                words.push_str(&format!("\n  `{}` {}", fault.field, fault.message));
            }
        }
        anyhow!("{words}{hint}")
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let server = &self.server;
        if error.is_timeout() {
            return anyhow!("{server} does not answer in time; look at its log, and at {server}/readyz");
        }
        if error.is_connect() {
            return anyhow!(
                "nothing answers at {server}; start one with `flowctl serve`, or name another one with FLOWCTL_SERVER or --server"
            );
        }
        anyhow!("{server} cannot be asked: {error}")
    }
}

/// A sentence as it stands behind `error: `: without its full stop, and without a capital where that only begins it.
fn as_cause(sentence: &str) -> String {
    let sentence = sentence.trim().trim_end_matches('.');
    let mut letters = sentence.chars();
    let first = letters.next();
    let is_name = letters.clone().take_while(|letter| letter.is_alphanumeric()).any(char::is_uppercase);
    if is_name { sentence.to_owned() } else { first.into_iter().flat_map(char::to_lowercase).chain(letters).collect() }
}

/// Whether an answer says that there is nothing more to follow.
fn is_over(response: &Response) -> bool {
    response.status() == StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::as_cause;

    #[test]
    fn a_sentence_stands_behind_another_word() {
        for (sentence, cause) in [
            ("There is no execution 0198.", "there is no execution 0198"),
            (
                "Nobody is asked any more: the approval is approved.",
                "nobody is asked any more: the approval is approved",
            ),
            ("GitHub does not answer.", "GitHub does not answer"),
            ("FLOWCTL_API_TOKEN is not set.", "FLOWCTL_API_TOKEN is not set"),
            ("`resn` is not a field here", "`resn` is not a field here"),
            ("", ""),
        ] {
            assert_eq!(as_cause(sentence), cause);
        }
    }
}
