//! What `flowctl doctor` finds out about the App on GitHub: whether it answers, what was granted, whether webhooks come,
//! how the clocks stand. It asks and changes nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::needs::{lacking_events, lacking_permissions};
use crate::doctor::{Check, Outcome};
use crate::github::client::{Delivery, GitHub, GitHubError, Installation, InstallationId};

/// A token of the App is issued a minute in the past, so that much is no trouble; GitHub refuses one from the future.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(30);
/// How far back deliveries are looked at.
const LATELY: SignedDuration = SignedDuration::from_hours(24);
/// Requests of an hour that should be left.
const FEW_REQUESTS: u64 = 500;
/// Accounts that are named in one line.
const MOST_NAMED: usize = 5;

/// Looks at everything. `public_url` is where this server believes to be.
pub async fn examine(github: &GitHub, public_url: &Url, now: Timestamp) -> Vec<Check> {
    let app = match github.app().get_app_at().await {
        Ok((app, there)) => {
            let mut checks =
                vec![Check::new("github", Outcome::Ok, format!("{} answers for the App {}", base(github), app.name))];
            checks.extend(there.map(|there| clock(there, now)));
            checks.push(granted("the App", &app.permissions, &app.events));
            (checks, true)
        }
        Err(error) => (vec![unanswered(github, &error)], false),
    };
    let (mut checks, answers) = app;
    if answers {
        checks.push(webhook(github, public_url).await);
        checks.push(deliveries(github, now).await);
        checks.extend(installations(github).await);
    }
    checks
}

fn base(github: &GitHub) -> &str {
    github.base().as_str().trim_end_matches('/')
}

fn unanswered(github: &GitHub, error: &GitHubError) -> Check {
    let check = Check::new("github", Outcome::Fault, error.to_string());
    match error {
        GitHubError::Unauthorized { .. } => check.with_help(
            "compare FLOWCTL_GITHUB_APP_ID and the private key with the App's page on GitHub, and set the clock",
        ),
        GitHubError::Unreachable { .. } => {
            check.with_help(format!("this machine must reach {} (FLOWCTL_GITHUB_API_URL)", base(github)))
        }
        _ => check,
    }
}

/// `there` is what GitHub's `Date` header says, to the second.
fn clock(there: Timestamp, now: Timestamp) -> Check {
    let apart = now.duration_since(there);
    let seconds = apart.as_secs();
    if apart.abs() <= CLOCKS_APART {
        return Check::new("clock skew", Outcome::Ok, format!("GitHub's clock and this one are {seconds} s apart"));
    }
    let way = if seconds > 0 { "ahead of" } else { "behind" };
    let message = format!("this clock is {} s {way} GitHub's", seconds.unsigned_abs());
    Check::new("clock skew", Outcome::Fault, message).with_help("set the clock (NTP); tokens are refused otherwise")
}

fn granted(whose: &str, permissions: &BTreeMap<String, String>, events: &[String]) -> Check {
    let (permissions, events) = (lacking_permissions(permissions), lacking_events(events));
    if permissions.is_empty() && events.is_empty() {
        return Check::new("permissions", Outcome::Ok, format!("{whose} has every permission and event"));
    }
    let mut lacks = Vec::new();
    if !permissions.is_empty() {
        lacks.push(format!("permissions {}", permissions.join(", ")));
    }
    if !events.is_empty() {
        lacks.push(format!("events {}", events.join(", ")));
    }
    Check::new("permissions", Outcome::Warning, format!("{whose} lacks {}", lacks.join("; ")))
        .with_help("add them on the App's page; then each account accepts them (docs/github.md says what each is for)")
}

async fn webhook(github: &GitHub, public_url: &Url) -> Check {
    let wanted = format!("{}/webhooks/github", public_url.as_str().trim_end_matches('/'));
    match github.app().hook().await {
        Err(error) => {
            Check::new("webhook", Outcome::Warning, format!("GitHub does not say where webhooks go: {error}"))
        }
        Ok(hook) if hook.url.as_deref() != Some(wanted.as_str()) => {
            let url = hook.url.unwrap_or_else(|| "nowhere".to_owned());
            Check::new("webhook", Outcome::Fault, format!("webhooks go to {url}, and this server is {wanted}"))
                .with_help("mend the App's webhook URL on GitHub, or FLOWCTL_PUBLIC_URL")
        }
        Ok(hook) if hook.content_type.as_deref().is_some_and(|kind| kind != "json") => {
            let message = "webhooks come as a form and not as JSON";
            Check::new("webhook", Outcome::Fault, message).with_help("choose application/json on the App's page")
        }
        Ok(_) => Check::new("webhook", Outcome::Ok, format!("webhooks go to {wanted}")),
    }
}

async fn deliveries(github: &GitHub, now: Timestamp) -> Check {
    let since = now.saturating_sub(LATELY).unwrap_or(Timestamp::UNIX_EPOCH);
    match github.app().deliveries(since, None).await {
        Err(error) => Check::new("deliveries", Outcome::Warning, format!("they cannot be looked at: {error}")),
        Ok(deliveries) => judged(&deliveries.shown),
    }
}

/// What became of the deliveries of the last day, each by its last attempt.
fn judged(deliveries: &[Delivery]) -> Check {
    let mut last: BTreeMap<&str, &Delivery> = BTreeMap::new();
    for delivery in deliveries {
        let known = last.entry(&delivery.guid).or_insert(delivery);
        if delivery.delivered_at > known.delivered_at || (delivery.arrived() && !known.arrived()) {
            *known = delivery;
        }
    }
    let failed: Vec<&&Delivery> = last.values().filter(|delivery| !delivery.arrived()).collect();
    let Some(newest) = failed.iter().max_by_key(|delivery| delivery.delivered_at) else {
        let message = match last.len() {
            0 => "there were none in the last day".to_owned(),
            count => format!("all {count} of the last day have arrived"),
        };
        return Check::new("deliveries", Outcome::Ok, message);
    };
    let message = format!(
        "{} of {} of the last day have not arrived; the newest, `{}` at {}: {} ({})",
        failed.len(),
        last.len(),
        newest.event,
        newest.delivered_at,
        newest.status,
        newest.status_code
    );
    Check::new("deliveries", Outcome::Warning, message)
        .with_help("a running server asks for them again by itself; see that GitHub can reach it")
}

async fn installations(github: &GitHub) -> Vec<Check> {
    let installations = match github.app().installations().await {
        Ok(installations) => installations,
        Err(error) => {
            let message = format!("they cannot be looked at: {error}");
            return vec![Check::new("installations", Outcome::Warning, message)];
        }
    };
    if installations.is_empty() {
        let check = Check::new("installations", Outcome::Warning, "the App is installed nowhere");
        return vec![check.with_help("install it on an account: /setup/app leads there")];
    }
    let named = |chosen: &dyn Fn(&&Installation) -> bool| names(installations.iter().filter(chosen));
    let mut checks = Vec::new();
    let suspended = named(&|one: &&Installation| one.suspended_at.is_some());
    checks.push(match suspended {
        None => {
            Check::new("installations", Outcome::Ok, format!("{} accounts have installed the App", installations.len()))
        }
        Some(names) => Check::new("installations", Outcome::Warning, format!("suspended: {names}"))
            .with_help("an owner of the account lifts that in its settings"),
    });
    for one in &installations {
        let whose = format!("the installation of {}", account(one));
        let check = granted(&whose, &one.permissions, &one.events);
        if check.outcome != Outcome::Ok {
            checks.push(check.with_help("an owner accepts what the App asks for, in the account's settings"));
        }
    }
    checks.push(left(github, &installations).await);
    checks
}

fn account(installation: &Installation) -> String {
    installation.account.as_ref().map_or_else(|| installation.id.to_string(), |account| account.login.clone())
}

fn names<'a>(installations: impl Iterator<Item = &'a Installation>) -> Option<String> {
    let all: Vec<String> = installations.map(account).collect();
    let (shown, more) =
        (all.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>(), all.len().saturating_sub(MOST_NAMED));
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!all.is_empty()).then(|| format!("{}{rest}", shown.join(", ")))
}

/// How many requests each installation may still make in this hour; asking for that costs none
/// (<https://docs.github.com/en/rest/rate-limit/rate-limit>).
async fn left(github: &GitHub, installations: &[Installation]) -> Check {
    let mut least: Option<(u64, u64, String)> = None;
    for one in installations.iter().filter(|one| one.suspended_at.is_none()).take(MOST_NAMED) {
        let InstallationId(id) = one.id;
        match github.installation(InstallationId(id)).rate_limit().await {
            Err(error) => {
                let message = format!("the limit of {} cannot be looked at: {error}", account(one));
                return Check::new("rate limit", Outcome::Warning, message);
            }
            Ok(rate) => {
                if least.as_ref().is_none_or(|(remaining, ..)| rate.remaining < *remaining) {
                    least = Some((rate.remaining, rate.limit, account(one)));
                }
            }
        }
    }
    let Some((remaining, limit, account)) = least else {
        return Check::new("rate limit", Outcome::Ok, "there is nobody to ask for");
    };
    let message = format!("{remaining} of {limit} requests are left in this hour for {account}");
    if remaining >= FEW_REQUESTS.min(limit / 10) {
        return Check::new("rate limit", Outcome::Ok, message);
    }
    Check::new("rate limit", Outcome::Warning, message).with_help("what is to be told waits until the hour is over")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    fn attempt(guid: &str, second: i64, status_code: u16) -> Delivery {
        Delivery {
            id: second.unsigned_abs(),
            guid: guid.to_owned(),
            delivered_at: Timestamp::from_second(second).unwrap(),
            redelivery: false,
            status: if status_code == 202 { "OK" } else { "failed to connect to host" }.to_owned(),
            status_code,
            event: "push".to_owned(),
            action: None,
            installation_id: None,
            repository_id: None,
        }
    }

    #[test]
    fn deliveries_are_judged_by_what_became_of_them_at_last() {
        assert_eq!(judged(&[]).message, "there were none in the last day");
        let taken_at_last = [attempt("a", 1, 502), attempt("a", 2, 202), attempt("b", 3, 202)];
        assert_eq!(judged(&taken_at_last).outcome, Outcome::Ok);
        let lost = [attempt("a", 1, 502), attempt("b", 3, 202)];
        insta::assert_snapshot!(judged(&lost).message, @"1 of 2 of the last day have not arrived; the newest, `push` at 1970-01-01T00:00:01Z: failed to connect to host (502)");
    }

    #[test]
    fn clocks_may_differ_a_little() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let found: Vec<String> = [(100, 110), (100, 400), (400, 100)]
            .into_iter()
            .map(|(there, here)| clock(at(there), at(here)).message)
            .collect();
        insta::assert_snapshot!(found.join("\n"), @r"
        GitHub's clock and this one are 10 s apart
        this clock is 300 s ahead of GitHub's
        this clock is 300 s behind GitHub's
        ");
    }
}
