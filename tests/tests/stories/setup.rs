//! From a server without an App to one that is installed: through the pages, with GitHub's manifest flow in between.

use std::collections::BTreeMap;

use flowctl_app::doctor::{self, Outcome};
use flowctl_app::server::Server;
use flowctl_app::settings::Settings;
use flowctl_app::steps::Performers;
use flowctl_sandbox::{RateLimits, Sandbox};
use jiff::Timestamp;
use reqwest::{Client, StatusCode};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A server that knows where GitHub is, and nothing of an App.
struct Newcomer {
    sandbox: Sandbox,
    data: TempDir,
    client: Client,
}

impl Newcomer {
    fn arrive() -> Self {
        let sandbox = Sandbox::builder().rate_limits(RateLimits::off()).start().unwrap();
        sandbox.hub().create_organization("octo-org").unwrap();
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { sandbox, data: tempfile::tempdir().unwrap(), client }
    }

    fn settings(&self) -> Settings {
        let environment = [
            ("FLOWCTL_LISTEN", "127.0.0.1:0".to_owned()),
            ("FLOWCTL_DATA_DIR", self.data.path().display().to_string()),
            ("FLOWCTL_GITHUB_API_URL", self.sandbox.api_url()),
            ("FLOWCTL_GITHUB_URL", self.sandbox.web_url()),
        ];
        Settings::load(None, environment.into_iter().map(|(name, value)| (name.to_owned(), value))).unwrap().0
    }

    async fn get(&self, url: &str) -> (StatusCode, String) {
        let answer = self.client.get(url).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn post(&self, url: &str, fields: &[(&str, &str)]) -> (StatusCode, String, String) {
        let answer = self.client.post(url).form(fields).send().await.unwrap();
        let header = |name: &str| {
            answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let to = format!("{}{}", header("location"), header("content-security-policy"));
        (answer.status(), answer.text().await.unwrap(), to)
    }
}

/// The value of an attribute in the first tag that contains `tag`, as a browser reads it.
fn attribute(page: &str, tag: &str, name: &str) -> String {
    let tag = page.split('<').find(|text| text.contains(tag)).unwrap_or_else(|| panic!("no {tag} in {page}"));
    let value = tag.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
    value.replace("&quot;", "\"").replace("&#x2f;", "/").replace("&#x27;", "'").replace("&amp;", "&")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_set_up_through_the_pages_and_then_installed() {
    let newcomer = Newcomer::arrive();
    let server = Server::bind(newcomer.settings(), Performers::default()).await.unwrap();
    let base = format!("http://{}", server.settings().listen);
    let address = server.setup_address().unwrap();
    let (set_up, shutdown) = (server.set_up(), CancellationToken::new());
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { server.run(shutdown).await.unwrap() }
    });

    // Without the code there is nothing to see.
    let (status, page) = newcomer.get(&format!("{base}/setup")).await;
    assert!(status.is_success() && page.contains("Code from the log") && !page.contains("Name of the App"), "{page}");
    let (status, page) = newcomer.get(&format!("{base}/setup?code=guess")).await;
    assert!(status == StatusCode::FORBIDDEN && page.contains("This is not the code"), "{page}");
    let stranger = [("code", "guess"), ("name", "flowctl"), ("organization", "")];
    assert_eq!(newcomer.post(&format!("{base}/setup"), &stranger).await.0, StatusCode::FORBIDDEN);
    let (status, _) = newcomer.get(&format!("{base}/setup/callback?code=abc&state=def")).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "nobody began this");

    let (_, page) = newcomer.get(&address).await;
    assert!(page.contains("Name of the App") && page.contains("GitHub cannot reach this address"), "{page}");
    let code = attribute(&page, "name=\"code\"", "value");
    let wrong = [("code", code.as_str()), ("name", "flowctl"), ("organization", "octo org/../x")];
    assert_eq!(newcomer.post(&format!("{base}/setup"), &wrong).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let chosen = [("code", code.as_str()), ("name", "Flow & co"), ("organization", "octo-org")];
    let (status, page, policy) = newcomer.post(&format!("{base}/setup"), &chosen).await;
    assert!(status.is_success() && page.contains("Flow &amp; co"), "{page}");
    assert!(policy.contains("default-src 'none'") && policy.contains(&newcomer.sandbox.web_url()), "{policy}");

    // The browser takes the manifest to GitHub, and comes back.
    let action = attribute(&page, "form method=\"post\"", "action");
    assert!(
        action.starts_with(&format!("{}/organizations/octo-org/settings/apps/new?state=", newcomer.sandbox.web_url()))
    );
    let manifest = attribute(&page, "name=\"manifest\"", "value");
    let (status, told, back) = newcomer.post(&action, &[("manifest", &manifest)]).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{told}");
    assert!(back.starts_with(&format!("{base}/setup/callback?code=")), "{back}");
    let (status, page) = newcomer.get(&back).await;
    assert!(status.is_success() && page.contains("The App is made"), "{page}");
    let app = newcomer.sandbox.app();
    assert!(!page.contains(&app.webhook_secret), "a secret on a page");
    running.await.unwrap();
    assert!(set_up.is_cancelled() && shutdown.is_cancelled());

    // Started anew it is that App.
    let settings = newcomer.settings();
    assert_eq!(settings.github.as_ref().map(|github| github.app_id), Some(app.id));
    let server = Server::bind(settings, Performers::default()).await.unwrap();
    assert!(server.setup_address().is_none());
    let base = format!("http://{}", server.settings().listen);
    let settings = server.settings().clone();
    newcomer.sandbox.hub().set_webhook_url(&format!("{base}/webhooks/github")).unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { server.run(shutdown).await.unwrap() }
    });
    assert_eq!(newcomer.get(&format!("{base}/setup?code={code}")).await.0, StatusCode::NOT_FOUND);
    let installation = newcomer.sandbox.hub().install("octo-org", None).unwrap();
    let (_, page) = newcomer.get(&format!("{base}/setup/app")).await;
    assert!(page.contains("It is installed in 1 account."), "{page}");
    assert!(page.contains("It has the permissions that it needs.") && page.contains("told of everything"), "{page}");

    newcomer.sandbox.deliveries_settled(std::time::Duration::from_secs(30)).await.unwrap();
    // What doctor says of it, and of an installation that has accepted less.
    let told = |checks: Vec<doctor::Check>| -> BTreeMap<&'static str, (Outcome, String)> {
        checks.into_iter().map(|check| (check.name, (check.outcome, check.message))).collect()
    };
    let sound = told(doctor::look(&settings, Timestamp::now()).await);
    for name in ["github", "clock skew", "permissions", "webhook", "deliveries", "installations", "rate limit"] {
        assert!(sound.get(name).is_some_and(|(outcome, _)| *outcome == Outcome::Ok), "{name}: {sound:#?}");
    }
    newcomer.sandbox.hub().set_permissions(installation, &[("checks", "read"), ("metadata", "read")]).unwrap();
    newcomer.sandbox.hub().set_webhook_url("https://elsewhere.example.com/").unwrap();
    let late = Timestamp::now() + jiff::SignedDuration::from_mins(7);
    let unsound = told(doctor::look(&settings, late).await);
    assert_eq!(unsound["clock skew"].0, Outcome::Fault, "{unsound:#?}");
    assert_eq!(unsound["webhook"].0, Outcome::Fault, "{unsound:#?}");
    let (outcome, message) = &unsound["permissions"];
    assert_eq!(*outcome, Outcome::Warning);
    assert!(
        message.starts_with("the installation of octo-org lacks permissions Actions: write, Checks: write"),
        "{message}"
    );
    shutdown.cancel();
    running.await.unwrap();
}
