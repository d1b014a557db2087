//! The dashboard and the alerts of `deploy/`: each of their expressions names metrics, labels and values that flowctl tells,
//! and asks of a metric what its kind can answer. No Prometheus is needed, and none is started.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use flowctl_app::telemetry::{CATALOGUE, Kind};
use flowctl_tests::root;
use serde::Deserialize;
use serde_json::Value;

/// Labels that Prometheus itself adds to what it scrapes.
const SCRAPED: &[&str] = &["job", "instance"];
/// Functions over a range of what only grows (<https://prometheus.io/docs/prometheus/latest/querying/functions/>).
const OF_COUNTERS: &[&str] = &["rate", "increase"];
/// Functions over a range of what goes up and down.
const OF_GAUGES: &[&str] = &["delta", "deriv", "changes"];
const OF_VALUES: &[&str] = &["histogram_quantile", "absent", "label_values"];
const AGGREGATIONS: &[&str] = &["sum", "min", "max", "topk"];
/// Words before a list of labels.
const GROUPINGS: &[&str] = &["by", "on"];
const OPERATORS: &[&str] = &["and", "or", "unless", "offset"];

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A metric, a label, a function, an operator.
    Name(String),
    /// Text in quotes.
    Text(String),
    /// A number, a duration, a variable of Grafana's: nothing that has to be known.
    Other,
    Sign(char),
}

/// The tokens of PromQL, as far as it is used here.
fn tokens(expression: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let of = |is_part: fn(char) -> bool| rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let length = match first {
            '"' => {
                let length = rest[1..].find('"').unwrap_or_else(|| panic!("a quote is open in {expression}")) + 2;
                found.push(Token::Text(rest[1..length - 1].to_owned()));
                length
            }
            '$' => {
                found.push(Token::Other);
                1 + rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len() - 1)
            }
            '0'..='9' => {
                found.push(Token::Other);
                of(|c| c.is_ascii_alphanumeric() || c == '.')
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = of(|c| c.is_ascii_alphanumeric() || c == '_');
                found.push(Token::Name(rest[..length].to_owned()));
                length
            }
            _ => {
                if !first.is_whitespace() {
                    found.push(Token::Sign(first));
                }
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    found
}

/// A metric where it is named in an expression.
#[derive(Debug, Default)]
struct Series {
    name: String,
    /// What its labels must be: label, and the text in quotes.
    matchers: Vec<(String, String)>,
    /// The function whose first argument it is.
    function: Option<String>,
}

/// What an expression names.
#[derive(Debug, Default)]
struct Named {
    series: Vec<Series>,
    /// Labels of `by` and `on`.
    grouped: BTreeSet<String>,
    aggregates: bool,
    /// Words before a bracket that are no function known here.
    unknown: Vec<String>,
}

impl Named {
    fn of(expression: &str) -> Self {
        let tokens = tokens(expression);
        let mut named = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            let Token::Name(name) = &tokens[at] else {
                at += 1;
                continue;
            };
            let is_called = tokens.get(at + 1) == Some(&Token::Sign('('));
            at += 1;
            if GROUPINGS.contains(&name.as_str()) {
                let list = tokens[at..].iter().take_while(|token| **token != Token::Sign(')'));
                named.grouped.extend(list.filter_map(|token| match token {
                    Token::Name(label) => Some(label.clone()),
                    _ => None,
                }));
                at += tokens[at..].iter().position(|token| *token == Token::Sign(')')).unwrap();
            } else if AGGREGATIONS.contains(&name.as_str()) {
                named.aggregates = true;
            } else if OPERATORS.contains(&name.as_str()) {
                // A bracket behind it is no call.
            } else if is_called {
                let known = [OF_COUNTERS, OF_GAUGES, OF_VALUES].concat();
                named.unknown.extend((!known.contains(&name.as_str())).then(|| name.clone()));
            } else {
                let function = match at.checked_sub(3).map(|before| &tokens[before..at - 1]) {
                    Some([Token::Name(function), Token::Sign('(')]) => Some(function.clone()),
                    _ => None,
                };
                let mut series = Series { name: name.clone(), function, matchers: Vec::new() };
                if tokens.get(at) == Some(&Token::Sign('{')) {
                    let end = at + tokens[at..].iter().position(|token| *token == Token::Sign('}')).unwrap();
                    series.matchers = matchers(&tokens[at + 1..end]);
                    at = end;
                }
                named.series.push(series);
            }
        }
        named
    }
}

fn matchers(tokens: &[Token]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for token in tokens {
        match (token, found.last_mut()) {
            (Token::Name(label), _) => found.push((label.clone(), String::new())),
            (Token::Text(text), Some((_, value))) => value.clone_from(text),
            _ => {}
        }
    }
    found
}

/// What flowctl tells under a name.
struct Told {
    labels: Vec<String>,
    grows: bool,
    meaning: &'static str,
}

/// Nothing where no such name is told. A histogram is told as its buckets, its sum and its count.
fn told(name: &str) -> Option<Told> {
    let owned = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
    for metric in CATALOGUE {
        let of = |grows, more: &[&str]| {
            Some(Told { labels: [owned(metric.labels), owned(more)].concat(), grows, meaning: metric.meaning })
        };
        match (metric.kind, name.strip_prefix(metric.name)) {
            (Kind::Histogram(_), Some("_bucket")) => return of(true, &["le"]),
            (Kind::Histogram(_), Some("_sum" | "_count")) | (Kind::Counter, Some("")) => return of(true, &[]),
            (Kind::Gauge, Some("")) => return of(false, &[]),
            _ => {}
        }
    }
    // Those of the process are told by a library; the page names which.
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let of_process = name.starts_with("process_") && page.contains(&format!("`{name}`"));
    of_process.then(|| Told { labels: Vec::new(), grows: name.ends_with("_total"), meaning: "" })
}

/// What is wrong with an expression, and with a text that shows labels of what it gives.
fn faults(expression: &str, shown: &str) -> Vec<String> {
    let named = Named::of(expression);
    let mut faults: Vec<String> = named.unknown.iter().map(|name| format!("`{name}` is no function")).collect();
    if named.series.is_empty() {
        faults.push("no metric is named".to_owned());
    }
    let mut visible: BTreeSet<String> = named.grouped.clone();
    for series in &named.series {
        let Some(told) = told(&series.name) else {
            faults.push(format!("`{}` is no metric", series.name));
            continue;
        };
        let has = |label: &str| SCRAPED.contains(&label) || told.labels.iter().any(|known| known == label);
        let labels = series.matchers.iter().map(|(label, _)| label).chain(&named.grouped);
        faults.extend(
            labels.filter(|label| !has(label)).map(|label| format!("`{}` has no label `{label}`", series.name)),
        );
        for (label, value) in series.matchers.iter().filter(|(label, _)| told.labels.contains(label)) {
            // Numbers of answers are not listed anywhere; words are.
            let words = value.split('|').filter(|word| word.chars().all(|c| c.is_ascii_lowercase()));
            let is_said =
                |word: &str| told.meaning.split(|c: char| !c.is_ascii_alphanumeric()).any(|said| said == word);
            faults.extend(words.filter(|word| !is_said(word)).map(|word| format!("`{label}` is never `{word}`")));
        }
        match series.function.as_deref() {
            Some(function) if OF_COUNTERS.contains(&function) && !told.grows => {
                faults.push(format!("`{function}` is of counters, `{}` is none", series.name));
            }
            Some(function) if OF_GAUGES.contains(&function) && told.grows => {
                faults.push(format!("`{function}` is of gauges, `{}` is none", series.name));
            }
            _ => {}
        }
        if !named.aggregates {
            visible.extend(told.labels);
            visible.extend(SCRAPED.iter().map(|label| (*label).to_owned()));
        }
    }
    for label in shown.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
        let label = label.trim().trim_start_matches("$labels.");
        if !visible.contains(label) {
            faults.push(format!("`{label}` is shown, and the expression does not give it"));
        }
    }
    faults
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    alert: String,
    expr: String,
    #[serde(default, rename = "for")]
    lasts: Option<String>,
    labels: AlertLabels,
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertLabels {
    severity: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    description: String,
    action: String,
}

fn groups() -> Vec<Group> {
    let text = fs::read_to_string(root().join("deploy/prometheus/alerts.yaml")).unwrap();
    serde_yaml::from_str::<Rules>(&text).unwrap().groups
}

fn alerts() -> Vec<Alert> {
    groups().into_iter().flat_map(|group| group.rules).collect()
}

#[test]
fn alerts_are_about_what_is_told() {
    let mut found = Vec::new();
    for alert in alerts() {
        let Annotations { summary, description, action } = &alert.annotations;
        let shown = format!("{summary} {description} {action}");
        found.extend(faults(&alert.expr, &shown).into_iter().map(|fault| format!("{}: {fault}", alert.alert)));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_alert_says_what_it_means_and_what_to_do() {
    let mut names = BTreeSet::new();
    for group in groups() {
        assert!(names.insert(group.name.clone()), "two groups are named {}", group.name);
    }
    for Alert { alert, annotations, labels, lasts, .. } in alerts() {
        assert!(names.insert(alert.clone()), "two alerts are named {alert}");
        assert!(alert.starts_with("Flowctl"), "{alert}");
        assert!(["critical", "warning"].contains(&labels.severity.as_str()), "{alert}: {}", labels.severity);
        for text in [&annotations.description, &annotations.action] {
            assert!(text.ends_with('.') && text.len() > 20, "{alert}: {text}");
        }
        assert!(!annotations.summary.is_empty() && !annotations.summary.ends_with('.'), "{alert}");
        let lasts = lasts.unwrap_or_else(|| "0m".to_owned());
        assert!(lasts.strip_suffix('m').is_some_and(|minutes| minutes.parse::<u32>().is_ok()), "{alert}: {lasts}");
    }
}

/// The table of `docs/metrics.md`; `UPDATE_DOCS=1` writes it.
#[test]
fn the_page_lists_every_alert() {
    let page = root().join("docs/metrics.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("| alert |").unwrap();
    let after = rest.split_once("\n\n").map(|(_, after)| after).unwrap_or_default();
    let mut table = "| alert | | when | what to do |\n|-|-|-|-|\n".to_owned();
    for Alert { alert, annotations, labels, .. } in alerts() {
        let Annotations { summary, action, .. } = annotations;
        writeln!(table, "| `{alert}` | {} | {summary} | {action} |", labels.severity).unwrap();
    }
    let made = format!("{before}{table}\n{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, &made).unwrap();
    }
    assert!(text == made, "docs/metrics.md is stale: UPDATE_DOCS=1 cargo test -p flowctl-tests --test monitoring");
}

#[test]
fn the_dashboard_shows_what_is_told() {
    let text = fs::read_to_string(root().join("deploy/grafana/flowctl.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut shown, mut found) = (BTreeSet::new(), 0, Vec::new());
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "the id of `{title}` is another one's, too");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "`{title}` is not explained");
        for target in panel["targets"].as_array().unwrap() {
            let (expression, legend) = (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap());
            found.extend(faults(expression, legend).into_iter().map(|fault| format!("{title}: {fault}")));
            assert!(expression.contains("job=~\"$job\""), "{title}: {expression} shows every job");
            shown += 1;
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["query"]["query"].as_str() {
            let label = format!("{{{{{}}}}}", variable["name"].as_str().unwrap());
            let query = query.replace(", job)", ")");
            found.extend(faults(&query, &label));
        }
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(shown > 30, "{shown}");
}

#[test]
fn an_expression_that_asks_for_what_is_not_told_is_found() {
    let wrong = [
        ("rate(flowctl_steps_total[5m]) > 0", "", "`flowctl_steps_total` is no metric"),
        ("flowctl_http_request_duration_seconds > 1", "", "`flowctl_http_request_duration_seconds` is no metric"),
        ("process_cores > 1", "", "`process_cores` is no metric"),
        ("flowctl_store_up{queue=\"work\"} == 0", "", "`flowctl_store_up` has no label `queue`"),
        ("sum by (tenant) (flowctl_executions)", "", "`flowctl_executions` has no label `tenant`"),
        ("sum by (le) (rate(flowctl_store_commits_total[5m]))", "", "`flowctl_store_commits_total` has no label `le`"),
        ("flowctl_queue_length{queue=~\"work|wrok\"} > 1", "", "`queue` is never `wrok`"),
        ("rate(flowctl_effects_failed[5m])", "", "`rate` is of counters, `flowctl_effects_failed` is none"),
        ("delta(flowctl_store_commits_total[5m])", "", "`delta` is of gauges, `flowctl_store_commits_total` is none"),
        ("rates(flowctl_store_commits_total[5m])", "", "`rates` is no function"),
        ("sum by (job) (flowctl_executions)", "{{status}}", "`status` is shown, and the expression does not give it"),
        ("1 > 0", "", "no metric is named"),
    ];
    for (expression, shown, fault) in wrong {
        assert_eq!(faults(expression, shown), [fault], "{expression}");
    }
    let right = "histogram_quantile(0.9, sum by (route, le) \
                 (rate(flowctl_http_request_duration_seconds_bucket{job=~\"$job\"}[$__rate_interval]))) > 0.5";
    assert_eq!(faults(right, "{{ $labels.route }} and {{route}}"), Vec::<String>::new());
}
