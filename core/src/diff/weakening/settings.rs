//! How strictly a repository is looked at: levels of rules, suppressions, commands, and whether weakenings count.

use std::collections::BTreeMap;

use super::budget::limit_raised;
use super::{Found, Subject, View, key_place};
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::settings::{FlowSettings, Level};
use crate::definition::step::notify::Channel;
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::model::{Place, Side};
use crate::source::Node;
use crate::validate::{Severity, rules, suppressed};

/// Looks at `flow.yaml` and at suppressions in every file.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    let none = FlowSettings::default();
    let settings = |file: Option<&'_ File>| match file.and_then(|file| file.definition.as_ref()) {
        Some(Definition::Settings(settings)) => (**settings).clone(),
        _ => none.clone(),
    };
    for matched in view.matches {
        let is_settings = matched.before.or(matched.after).is_some_and(|file| file.kind == FileKind::Settings);
        if is_settings {
            let pair = Pair {
                files: (matched.before, matched.after),
                was: settings(matched.before),
                is: settings(matched.after),
            };
            pair.levels(found);
            pair.commands(found);
            pair.fails(found);
            pair.audit(found);
            pair.people(found);
            pair.spending(found);
            pair.channels(found);
        }
        suppressions(matched.before, matched.after, found);
    }
}

/// The command that goes on without an approval.
const OVERRIDE: &str = "override";

struct Pair<'r> {
    files: (Option<&'r File>, Option<&'r File>),
    was: FlowSettings,
    is: FlowSettings,
}

impl Pair<'_> {
    fn tell(&self, kind: Kind, path: &[&str], message: String, found: &mut Found) {
        let at = |side: Side, file: &File| {
            let mut node = file.document.root().map(|root| file.document.node(root));
            let mut span = None;
            for key in path {
                span = node.and_then(|node| node.key_node(key)).map(Node::span).or(span);
                node = node.and_then(|node| node.get(key));
            }
            span.map_or_else(|| key_place(side, file, "validate"), |span| Place::of(side, file, span))
        };
        let was = self.files.0.map(|file| at(Side::Before, file));
        let is = self.files.1.map(|file| at(Side::After, file));
        let (place, before) = match (is, was) {
            (Some(is), was) => (is, was),
            (None, Some(was)) => (was, None),
            (None, None) => return,
        };
        found.tell(kind, Subject::of("settings flow.yaml"), message, place, before);
    }

    fn levels(&self, found: &mut Found) {
        let (was, is) = (levels(&self.was), levels(&self.is));
        for rule in rules::RULES {
            let usual = of_severity(rule.severity);
            let named = |levels: &BTreeMap<&'static str, (Level, String)>| levels.get(rule.code).cloned();
            let (had, has) = (named(&was), named(&is));
            let level = |one: &Option<(Level, String)>| one.as_ref().map_or(usual, |(level, _)| *level);
            if strictness(level(&has)) >= strictness(level(&had)) {
                continue;
            }
            let message =
                format!("`{}` ({}): {} became {}", rule.code, rule.name, word(level(&had)), word(level(&has)));
            let key = has.or(had).map(|(_, key)| key).unwrap_or_default();
            self.tell(Kind::LevelLowered, &["validate", "levels", &key], message, found);
        }
    }

    fn commands(&self, found: &mut Found) {
        let verb = |name: &str| name.trim_start_matches('/').to_owned();
        // Who may go on without an approval is nobody until somebody is named.
        let overrides = |settings: &FlowSettings| settings.commands.keys().any(|name| verb(&name.value) == OVERRIDE);
        if let (false, Some((name, now))) =
            (overrides(&self.was), self.is.commands.iter().find(|(name, _)| verb(&name.value) == OVERRIDE))
        {
            let message = format!("`/{OVERRIDE}`: nobody became {}", format!("{:?}", now.role).to_lowercase());
            self.tell(Kind::CommandRoleLowered, &["commands", &name.value, "role"], message, found);
        }
        for (name, was) in &self.was.commands {
            if verb(&name.value) == OVERRIDE && !overrides(&self.is) {
                continue;
            }
            let is = self.is.commands.iter().find(|(known, _)| verb(&known.value) == verb(&name.value));
            let is = is.map(|(_, command)| command.role);
            if is.is_none_or(|is| is < was.role) {
                let now =
                    is.map_or_else(|| "what it needs by itself".to_owned(), |is| format!("{is:?}").to_lowercase());
                let message =
                    format!("`/{}`: {} became {now}", verb(&name.value), format!("{:?}", was.role).to_lowercase());
                self.tell(Kind::CommandRoleLowered, &["commands", &name.value, "role"], message, found);
            }
        }
    }

    fn audit(&self, found: &mut Found) {
        let reference = |settings: &FlowSettings| settings.audit.reference.as_ref().map(|it| it.value.clone());
        let (was, is) = (reference(&self.was), reference(&self.is));
        if let Some(was) = was.filter(|was| is.as_ref() != Some(was)) {
            let message = format!(
                "the audit log went to `{was}`, and now to {}",
                is.map_or_else(|| "none".to_owned(), |is| format!("`{is}`"))
            );
            self.tell(Kind::AuditElsewhere, &["audit", "ref"], message, found);
        }
    }

    /// Whose words count by a login: its account by number, else whoever has the login.
    fn people(&self, found: &mut Found) {
        let (was, is) = (people(&self.was), people(&self.is));
        let logins: BTreeMap<&String, &String> =
            was.iter().chain(&is).map(|(login, (written, _))| (login, written)).collect();
        let account = |people: &People, login: &String| match people.get(login) {
            Some((_, account)) => format!("the account {account}"),
            None => "whoever has the login".to_owned(),
        };
        for (login, written) in logins {
            let (had, has) = (account(&was, login), account(&is, login));
            if had != has {
                let message = format!("`@{written}`: {had} became {has}");
                self.tell(Kind::OtherApprovers, &["people", written], message, found);
            }
        }
    }

    /// What the models of all processes may cost in a month.
    fn spending(&self, found: &mut Found) {
        if let Some(how) = limit_raised(self.was.monthly_budget.as_ref(), self.is.monthly_budget.as_ref()) {
            self.tell(Kind::BudgetRaised, &["monthly_budget"], format!("`monthly_budget`: {how}"), found);
        }
    }

    fn channels(&self, found: &mut Found) {
        for (name, was) in self.was.channels.iter().filter(|(_, channel)| channel.secret.is_some()) {
            let is = self.is.channels.iter().find(|(known, _)| known.value == name.value).map(|(_, channel)| channel);
            let is_unsigned = is.is_some_and(|is| is.kind == Channel::Webhook && is.secret.is_none());
            if is_unsigned && was.kind == Channel::Webhook {
                let message = format!("the messages of channel `{}` are not signed any more", name.value);
                self.tell(Kind::MessagesUnsigned, &["channels", &name.value, "secret"], message, found);
            }
        }
    }

    fn fails(&self, found: &mut Found) {
        if self.was.validate.fail_on_weakening && !self.is.validate.fail_on_weakening {
            let message = "`fail_on_weakening` was turned off".to_owned();
            self.tell(Kind::WeakeningAllowed, &["validate", "fail_on_weakening"], message, found);
        }
    }
}

/// Accounts by login in small letters, with the login as it is written.
type People = BTreeMap<String, (String, u64)>;

fn people(settings: &FlowSettings) -> People {
    let entries = settings.people.iter();
    entries.map(|(login, account)| (login.value.to_lowercase(), (login.value.clone(), *account))).collect()
}

/// The levels that are set, by the rule's code, with the name that was written.
fn levels(settings: &FlowSettings) -> BTreeMap<&'static str, (Level, String)> {
    let levels = settings.validate.levels.iter();
    levels.filter_map(|(name, level)| Some((rules::find(&name.value)?.code, (*level, name.value.clone())))).collect()
}

fn of_severity(severity: Severity) -> Level {
    match severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Info => Level::Info,
    }
}

fn strictness(level: Level) -> u8 {
    match level {
        Level::Off => 0,
        Level::Info => 1,
        Level::Warning => 2,
        Level::Error => 3,
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Off => "off",
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

/// Suppressions of a file that are more than there were, by the rule that they name.
fn suppressions(before: Option<&File>, after: Option<&File>, found: &mut Found) {
    let Some(after) = after else { return };
    let code = |written: &str| rules::find(written).map_or_else(|| written.to_owned(), |rule| rule.code.to_owned());
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (written, _) in before.map(suppressed).unwrap_or_default() {
        *known.entry(code(&written)).or_default() += 1;
    }
    for (written, span) in suppressed(after) {
        match known.get_mut(&code(&written)) {
            Some(left) if *left > 0 => *left -= 1,
            _ => {
                let message = format!("findings of `{written}` are hidden here");
                let place = Place::of(Side::After, after, span);
                found.tell(Kind::SuppressionAdded, Subject::file(after), message, place, None);
            }
        }
    }
}
