//! Secrets: who reads which, to which host it goes, and what stands in plain text.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Subject, View};
use crate::dataflow::Constants;
use crate::definition::repository::{Definition, File, FileKind, Repository};
use crate::definition::step::StepKind;
use crate::definition::{Process, Step};
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::matching::{name, written_steps};
use crate::diff::model::{Place, Side};
use crate::expression::{Template, markup};
use crate::source::{Kind as NodeKind, Node, Span};
use crate::validate::rules::secret_over_http::is_in_the_open;
use crate::validate::secrets::occurrences;

/// One reading of a secret.
#[derive(Debug, Clone)]
struct Reading<'r> {
    secret: String,
    /// Who reads it: a step, or a part of another definition; by its name now.
    reader: String,
    /// The host that it goes to, where an address says so.
    host: Option<String>,
    /// Whether everybody on the way there can read it.
    is_open: bool,
    /// What may be given for the inputs that the host is made of.
    given: Given,
    file: &'r File,
    step: Option<String>,
    span: Span,
}

/// Inputs by name, each with its choices and its pattern.
type Given = BTreeMap<String, (Option<BTreeSet<String>>, Option<String>)>;

/// Whether nothing may be given now that could not be given before.
fn is_within(is: &Given, was: &Given) -> bool {
    is.iter().all(|(name, (choices, pattern))| match was.get(name) {
        None => false,
        Some((Some(before), _)) => choices.as_ref().is_some_and(|choices| choices.is_subset(before)),
        Some((None, Some(before))) => pattern.as_ref() == Some(before),
        Some((None, None)) => true,
    })
}

/// Looks at every secret that is read.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    let mut before = readings(view.before.repository);
    // Readers are compared by the names that they have now.
    for reading in &mut before {
        reading.reader = reader_now(view, reading);
    }
    let known: BTreeSet<&str> = before.iter().map(|reading| reading.secret.as_str()).collect();
    let mut of_reader: BTreeMap<(&str, &str), Vec<&Reading<'_>>> = BTreeMap::new();
    for reading in &before {
        of_reader.entry((&reading.reader, &reading.secret)).or_default().push(reading);
    }
    let mut told = BTreeSet::new();
    for reading in readings(view.after.repository) {
        let was = of_reader.get(&(reading.reader.as_str(), reading.secret.as_str()));
        let as_before = |was: &&Reading<'_>| was.host == reading.host && is_within(&reading.given, &was.given);
        let as_closed = |was: &&Reading<'_>| was.is_open || !reading.is_open;
        let same_host = was.is_some_and(|was| was.iter().any(|was| as_before(was) && as_closed(was)));
        let how = otherwise(view, &reading);
        if (same_host && how.is_none())
            || !told.insert((reading.reader.clone(), reading.secret.clone(), reading.host.clone()))
        {
            continue;
        }
        let was = was.and_then(|was| was.iter().find(|was| as_before(was)).or_else(|| was.first()));
        tell(&reading, was.copied(), how, &known, found);
    }
    plain_text(view, found);
}

/// How the host of a reading that is computed may be another one by what it reads.
fn otherwise<'v>(view: &'v View<'_>, reading: &Reading<'_>) -> Option<&'v str> {
    let host = reading.host.as_deref().filter(|host| host.contains("{{"))?;
    view.processes.iter().find(|pair| std::ptr::eq(pair.after.file, reading.file))?.changes.of(host)
}

fn tell(
    reading: &Reading<'_>,
    was: Option<&Reading<'_>>,
    how: Option<&str>,
    known: &BTreeSet<&str>,
    found: &mut Found,
) {
    let subject = Subject {
        definition: format!("{} {}", reading.file.kind.as_str(), name(reading.file)),
        step: reading.step.clone(),
    };
    let place = Place::of(Side::After, reading.file, reading.span);
    let to = |host: &Option<String>| host.clone().unwrap_or_else(|| "nowhere that is known".to_owned());
    match was {
        Some(was) if was.host == reading.host && reading.is_open && !was.is_open => {
            let host = to(&reading.host);
            let message = format!("`secrets.{}` goes to `{host}` with `http://`, where it can be read", reading.secret);
            let place_before = Place::of(Side::Before, was.file, was.span);
            found.tell(Kind::SecretOverHttp, subject, message, place, Some(place_before));
        }
        Some(was) => {
            let message = if was.host == reading.host {
                let host = to(&reading.host);
                let how = how.map_or_else(|| ", which may be more than before".to_owned(), |how| format!(": {how}"));
                format!("`secrets.{}` goes to `{host}`{how}", reading.secret)
            } else {
                format!("`secrets.{}` went to `{}` and goes to `{}`", reading.secret, to(&was.host), to(&reading.host))
            };
            let place_before = Place::of(Side::Before, was.file, was.span);
            found.tell(Kind::SecretHostChanged, subject, message, place, Some(place_before));
        }
        None => {
            let host = reading.host.as_ref().map(|host| format!(" and sends it to `{host}`")).unwrap_or_default();
            let others = if known.contains(reading.secret.as_str()) {
                "others read it before"
            } else {
                "nothing read it before"
            };
            let message = format!("{} reads `secrets.{}`{host}; {others}", reading.reader, reading.secret);
            found.tell(Kind::SecretRead, subject, message, place, None);
        }
    }
}

/// Who a reader is now.
fn reader_now(view: &View<'_>, reading: &Reading<'_>) -> String {
    let matched =
        view.matches.iter().find(|matched| matched.before.is_some_and(|file| std::ptr::eq(file, reading.file)));
    let Some(after) = matched.and_then(|matched| matched.after) else { return reading.reader.clone() };
    let pair = view.processes.iter().find(|pair| std::ptr::eq(pair.before.file, reading.file));
    let step = match (&reading.step, pair) {
        (Some(step), Some(pair)) => Some(pair.renames.of(step).to_owned()),
        (step, _) => step.clone(),
    };
    let part = reading.reader.rsplit_once(" / ").map(|(_, part)| part);
    reader(after, step.as_deref(), part)
}

fn reader(file: &File, step: Option<&str>, part: Option<&str>) -> String {
    let owner = format!("{} `{}`", file.kind.as_str(), name(file));
    match (step, part) {
        (Some(step), _) => format!("step `{step}` of {owner}"),
        (None, Some(part)) => format!("{owner} / {part}"),
        (None, None) => owner,
    }
}

/// Every secret that the definitions of a commit read.
fn readings(repository: &Repository) -> Vec<Reading<'_>> {
    let mut found = Vec::new();
    let integrations = integrations(repository);
    for file in repository.files.values().filter(|file| file.kind != FileKind::Test) {
        let Some(root) = file.document.root().map(|root| file.document.node(root)) else { continue };
        match file.kind {
            FileKind::Process => of_process(file, root, &integrations, &mut found),
            FileKind::Settings => {
                for (group, entries) in
                    root.entries().filter(|(key, _)| matches!(key.as_str(), Some("channels" | "integrations")))
                {
                    for (key, part) in entries.entries() {
                        let title =
                            format!("{} {}", group.as_str().unwrap_or_default(), key.as_str().unwrap_or_default());
                        let url = part.get("url").or_else(|| part.get("to")).and_then(|url| url.as_str());
                        let owner = reader(file, None, Some(&title));
                        let owner = Owner::at(owner, url);
                        collect(file, part, &owner, &mut found);
                    }
                }
            }
            _ => {
                let url = root.get("url").and_then(|url| url.as_str());
                let owner = Owner::at(reader(file, None, None), url);
                collect(file, root, &owner, &mut found);
            }
        }
    }
    found
}

/// The addresses of integrations by their names.
fn integrations(repository: &Repository) -> BTreeMap<String, String> {
    let integrations = repository.settings().into_iter().flat_map(|settings| &settings.integrations);
    integrations.map(|(name, integration)| (name.value.clone(), integration.url.value.clone())).collect()
}

struct Owner {
    reader: String,
    step: Option<String>,
    host: Option<String>,
    is_open: bool,
    given: Given,
}

impl Owner {
    /// Whoever sends to an address, and no step.
    fn at(reader: String, url: Option<&str>) -> Self {
        let is_open = url.is_some_and(is_in_the_open);
        Self { reader, step: None, host: url.and_then(host), is_open, given: Given::new() }
    }
}

fn of_process<'r>(
    file: &'r File,
    root: Node<'r>,
    integrations: &BTreeMap<String, String>,
    found: &mut Vec<Reading<'r>>,
) {
    let process = match &file.definition {
        Some(Definition::Process(process)) => Some(process),
        _ => None,
    };
    let typed: BTreeMap<_, &Step> =
        process.into_iter().flat_map(|process| process.all_steps()).map(|step| (step.node, step)).collect();
    let constants = process.map(|process| Constants::of(process));
    let resolved =
        |url: &str| constants.as_ref().map_or_else(|| url.to_owned(), |known| known.resolved(url).into_owned());
    let host = |url: &str| host(&resolved(url));
    for (key, value) in root.entries().filter(|(key, _)| key.as_str() != Some("steps")) {
        let part = key.as_str().unwrap_or_default();
        let reader = reader(file, None, Some(part));
        collect(file, value, &Owner::at(reader, None), found);
    }
    for step in written_steps(file) {
        let host = typed.get(&step.node.id()).and_then(|step| match &step.kind {
            StepKind::ApiCall(call) => match &call.integration {
                Some(name) => integrations.get(&name.value).map_or_else(|| host(&call.url.value), |url| host(url)),
                None => host(&call.url.value),
            },
            StepKind::McpCall(call) => Some(format!("tool {}", call.tool.value)),
            _ => receiver(step, &host),
        });
        let address = typed.get(&step.node.id()).and_then(|step| match &step.kind {
            StepKind::ApiCall(call) => {
                let integration = call.integration.as_ref().and_then(|name| integrations.get(&name.value));
                Some(integration.map_or(call.url.value.as_str(), String::as_str))
            }
            StepKind::Notify(notify) => notify.to.as_ref().and_then(|to| to.value.as_str()),
            _ => None,
        });
        let is_open = address.is_some_and(|url| is_in_the_open(&resolved(url)));
        let given = process.map(|process| given(process, host.as_deref().unwrap_or_default())).unwrap_or_default();
        let owner =
            Owner { reader: reader(file, Some(&step.id), None), step: Some(step.id.clone()), host, is_open, given };
        for (_, value) in step.node.entries().filter(|(key, _)| key.as_str() != Some("steps")) {
            collect(file, value, &owner, found);
        }
    }
}

/// What may be given for the inputs that a host is made of.
fn given(process: &Process, host: &str) -> Given {
    let Some(template) = host.contains("{{").then(|| Template::parse(host).ok()).flatten() else { return Given::new() };
    let inputs = template.references().iter().filter(|reference| reference.root() == "inputs");
    let mut given = Given::new();
    for name in inputs.filter_map(|reference| reference.name(1)) {
        let field = process.header.inputs.iter().find(|(known, _)| known.as_str() == name).map(|(_, field)| field);
        let choices = field.and_then(|field| field.choices.as_ref());
        let choices = choices.map(|choices| choices.iter().map(ToString::to_string).collect());
        let pattern = field.and_then(|field| field.pattern.as_ref()).map(|pattern| pattern.value.clone());
        given.insert(name.to_owned(), (choices, pattern));
    }
    given
}

/// Where a notification goes.
fn receiver(step: &Step, host: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let StepKind::Notify(notify) = &step.kind else { return None };
    let to = notify.to.as_ref()?;
    Some(match to.value.as_str() {
        Some(text) => host(text).unwrap_or_else(|| text.to_owned()),
        None => to.value.to_string(),
    })
}

/// Every secret below a node. Iterative; nodes that aliases share are looked at once.
fn collect<'r>(file: &'r File, node: Node<'r>, owner: &Owner, found: &mut Vec<Reading<'r>>) {
    let mut open = vec![node];
    let mut seen = BTreeSet::new();
    while let Some(node) = open.pop() {
        if !seen.insert(node.id()) {
            continue;
        }
        match node.kind() {
            NodeKind::Scalar => {
                let text = node.as_str().unwrap_or_default();
                for (secret, range) in secrets_in(text) {
                    let span = range.map_or_else(|| node.span(), |range| file.document.span_within(node.id(), range));
                    let Owner { reader, step, host, is_open, given } = owner;
                    let (reader, step, host, given) = (reader.clone(), step.clone(), host.clone(), given.clone());
                    found.push(Reading { secret, reader, host, is_open: *is_open, given, file, step, span });
                }
            }
            NodeKind::Sequence => open.extend(node.items().into_iter().flatten()),
            NodeKind::Mapping => open.extend(node.entries().map(|(_, value)| value)),
        }
    }
}

/// The secrets that a text reads. One that cannot be read as a template is searched for the word.
fn secrets_in(text: &str) -> Vec<(String, Option<std::ops::Range<usize>>)> {
    if !text.contains("secrets") {
        return Vec::new();
    }
    match Template::parse(text) {
        Ok(template) => template
            .references()
            .iter()
            .filter(|reference| reference.root() == "secrets")
            .map(|reference| (reference.name(1).unwrap_or("*").to_owned(), Some(reference.range.clone())))
            .collect(),
        Err(_) => text
            .match_indices("secrets.")
            .map(|(at, word)| {
                let rest = &text[at + word.len()..];
                let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                (name, None)
            })
            .collect(),
    }
}

/// The host of an address with its port, as written. What is computed stays as it is; where that may be anything from the
/// scheme on, all that stands before the path counts.
fn host(url: &str) -> Option<String> {
    let written = without_markup(url);
    let scheme = written.find("://");
    let start = scheme.filter(|end| !written[..*end].contains(COMPUTED)).map_or(0, |end| end + "://".len());
    let from = scheme.map_or(0, |end| end + "://".len());
    let end = written[from..].find(['/', '?', '#', '\\']).map_or(written.len(), |end| from + end);
    let authority = url.get(start..end)?;
    if written[start..end].contains(COMPUTED) {
        return Some(authority.to_owned());
    }
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// What stands for each byte that is computed.
const COMPUTED: char = '{';

/// A text in which its markup says nothing: what stands inside of `{{ … }}` is no part of an address. It is as long as before.
fn without_markup(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut end = 0;
    for range in markup(text) {
        written.push_str(&text[end..range.start]);
        written.extend(std::iter::repeat_n(COMPUTED, range.len()));
        end = range.end;
    }
    written + &text[end..]
}

/// What looks like a secret now and stood nowhere before.
fn plain_text(view: &View<'_>, found: &mut Found) {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for file in view.before.repository.files.values() {
        let text = file.source.text();
        known.extend(occurrences(text).into_iter().filter_map(|(_, range)| text.get(range)));
    }
    for file in view.after.repository.files.values() {
        let text = file.source.text();
        for (what, range) in occurrences(text) {
            if text.get(range.clone()).is_some_and(|secret| !known.contains(secret)) {
                let place = Place::of(Side::After, file, Span::new(range.start, range.end));
                let message = format!("this looks like {what}");
                found.tell(Kind::SecretInPlainText, Subject::file(file), message, place, None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_host_is_what_an_address_is_sent_to() {
        for (url, expected) in [
            ("https://API.example/x", Some("api.example")),
            ("https://api.example:8443?x=/", Some("api.example:8443")),
            ("https://good.example@evil.example/x", Some("evil.example")),
            ("https://{{ inputs.host }}/x", Some("{{ inputs.host }}")),
            ("{{ inputs.base }}/vendors", Some("{{ inputs.base }}")),
            ("https://evil.example\\@good.example", Some("evil.example")),
            ("{{ 'https://a/b' if x else 'c' }}", Some("{{ 'https://a/b' if x else 'c' }}")),
            ("{{ '}}' ~ 'https://a/b' }}/c", Some("{{ '}}' ~ 'https://a/b' }}")),
            ("{{ {'a': {'b': 'https://c/d'}}['a']['b'] }}/e", Some("{{ {'a': {'b': 'https://c/d'}}['a']['b'] }}")),
            ("{{ inputs.scheme }}://a.example/x", Some("{{ inputs.scheme }}://a.example")),
            ("https://{{ inputs.user }}@good.example/x", Some("{{ inputs.user }}@good.example")),
            ("https://a.example{{ inputs.more }}/x", Some("a.example{{ inputs.more }}")),
            ("{% if x %}https://a/b{% endif %}/c", Some("{% if x %}https://a")),
            ("https://{{ never closed", Some("{{ never closed")),
            ("", None),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }
}
