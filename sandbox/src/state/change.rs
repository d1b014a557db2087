//! One change of the world: the state, the moment, and the events that it causes.
//! Events are rendered here, from the state as it is when they happen.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Id, World};
use crate::git::GitStore;
use crate::shape::{Urls, View};

/// An event for one installation, rendered but not yet sent.
#[derive(Debug)]
pub(crate) struct Emitted {
    pub event: &'static str,
    pub installation: Option<Id>,
    pub repository: Option<Id>,
    pub payload: Value,
}

/// A change in the making. Nobody else sees or touches the world until it ends.
#[derive(Debug)]
pub struct Change<'a> {
    /// The state.
    pub world: &'a mut World,
    /// The moment of the whole change.
    pub now: Timestamp,
    /// The bare repositories.
    pub git: &'a GitStore,
    pub(crate) urls: &'a Urls,
    pub(crate) emitted: Vec<Emitted>,
    pub(crate) touched: bool,
}

/// Named parts of a payload, in the order in which they are written.
pub(crate) type Fields = Vec<(&'static str, Value)>;

impl Change<'_> {
    pub(crate) fn view(&self) -> View<'_> {
        View { world: self.world, urls: self.urls, git: self.git }
    }

    /// Says that something changed that causes no event.
    pub(crate) fn touch(&mut self) {
        self.touched = true;
    }

    /// Tells every installation that covers the repository, is not suspended, and listens.
    pub(crate) fn emit(
        &mut self,
        event: &'static str,
        action: Option<&'static str>,
        repository: Id,
        sender: Id,
        fields: Fields,
    ) {
        self.touched = true;
        let Some(installation) = self.world.installation_of(repository) else { return };
        if installation.suspended.is_some() || !installation.events.iter().any(|name| name == event) {
            return;
        }
        let installation = installation.id;
        let payload = self.payload(action, fields, Some(repository), Some(installation), sender);
        self.emitted.push(Emitted { event, installation: Some(installation), repository: Some(repository), payload });
    }

    /// As [`Change::emit`], for events that only the App hears which made the object.
    ///
    /// Source: GitHub webhook documentation, `check_run`: `rerequested` and `requested_action` go to the App that
    /// made the run. The other App's runs are heard of through `created` and `completed`.
    pub(crate) fn emit_for_app(
        &mut self,
        event: &'static str,
        action: Option<&'static str>,
        app: Id,
        repository: Id,
        sender: Id,
        fields: Fields,
    ) {
        let own_only = matches!(action, Some("rerequested" | "requested_action" | "requested"));
        if own_only && app != self.world.app.id {
            self.touched = true;
            return;
        }
        self.emit(event, action, repository, sender, fields);
    }

    /// Tells about the App itself: these events cannot be unsubscribed from.
    pub(crate) fn emit_always(
        &mut self,
        event: &'static str,
        action: Option<&'static str>,
        installation: Option<Id>,
        sender: Id,
        fields: Fields,
    ) {
        self.touched = true;
        let payload = self.payload(action, fields, None, None, sender);
        self.emitted.push(Emitted { event, installation, repository: None, payload });
    }

    fn payload(
        &self,
        action: Option<&str>,
        fields: Fields,
        repository: Option<Id>,
        installation: Option<Id>,
        sender: Id,
    ) -> Value {
        let mut payload = Map::new();
        if let Some(action) = action {
            payload.insert("action".to_owned(), json!(action));
        }
        for (name, value) in fields {
            payload.insert(name.to_owned(), value);
        }
        let view = self.view();
        if let Some(repository) = repository.and_then(|id| self.world.repositories.get(&id)) {
            payload.insert("repository".to_owned(), view.repository(repository));
            if let Some(organization) = view.organization_of(repository) {
                payload.insert("organization".to_owned(), organization);
            }
        }
        payload.insert("sender".to_owned(), view.user(sender));
        if let Some(installation) = installation {
            let node_id = crate::shape::node_id("MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9u", installation);
            payload.insert("installation".to_owned(), json!({"id": installation, "node_id": node_id}));
        }
        Value::Object(payload)
    }
}
