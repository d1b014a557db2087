//! The App and its installations. OpenAPI: `integration`, `installation`, `installation-token`, `hook-delivery`.

use serde_json::{Value, json};

use super::{View, node_id};
use crate::clock::stamp;
use crate::state::{App, Delivery, Id, Installation, Selection};

impl View<'_> {
    /// `integration` as the App itself sees it: with the number of its installations.
    pub fn own_app(&self) -> Value {
        let mut shape = self.app(&self.world.app);
        super::account::merge(&mut shape, json!({"installations_count": self.world.installations.len()}));
        shape
    }

    /// `integration`.
    pub fn app(&self, app: &App) -> Value {
        json!({
            "id": app.id,
            "slug": app.slug,
            "node_id": node_id("A", app.id),
            "client_id": app.client_id,
            "owner": self.user(app.owner),
            "name": app.name,
            "description": "",
            "external_url": self.urls.web(),
            "html_url": format!("{}/apps/{}", self.urls.web(), app.slug),
            "created_at": stamp(app.created_at),
            "updated_at": stamp(app.created_at),
            "permissions": app.permissions,
            "events": app.events,
        })
    }

    /// `installation`.
    pub fn installation(&self, installation: &Installation) -> Value {
        let app = &self.world.app;
        let account = self.world.accounts.get(&installation.account);
        let login = account.map_or("ghost", |account| account.login.as_str());
        let kind = account.map_or("User", |account| account.kind.word());
        let (suspended_at, suspended_by) = match installation.suspended {
            Some((at, by)) => (json!(stamp(at)), self.user(by)),
            None => (Value::Null, Value::Null),
        };
        json!({
            "id": installation.id,
            "client_id": app.client_id,
            "account": self.user(installation.account),
            "repository_selection": if installation.selection == Selection::All { "all" } else { "selected" },
            "access_tokens_url": format!("{}/app/installations/{}/access_tokens", self.urls.api(), installation.id),
            "repositories_url": format!("{}/installation/repositories", self.urls.api()),
            "html_url": format!("{}/organizations/{login}/settings/installations/{}", self.urls.web(), installation.id),
            "app_id": app.id,
            "app_slug": app.slug,
            "target_id": installation.account,
            "target_type": kind,
            "permissions": installation.permissions,
            "events": installation.events,
            "created_at": stamp(installation.created_at),
            "updated_at": stamp(installation.updated_at),
            "single_file_name": null,
            "has_multiple_single_files": false,
            "single_file_paths": [],
            "suspended_by": suspended_by,
            "suspended_at": suspended_at,
        })
    }

    /// The short form of repositories in `installation` events.
    pub(crate) fn installed_repositories(&self, repositories: &[Id]) -> Value {
        let short = repositories.iter().filter_map(|id| self.world.repositories.get(id)).map(|repository| {
            json!({
                "id": repository.id,
                "node_id": node_id("R", repository.id),
                "name": repository.name,
                "full_name": self.world.full_name(repository),
                "private": repository.private,
            })
        });
        Value::Array(short.collect())
    }

    /// `hook-delivery-item`.
    pub fn delivery_item(&self, delivery: &Delivery) -> Value {
        json!({
            "id": delivery.id,
            "guid": delivery.guid,
            "delivered_at": stamp(delivery.delivered_at),
            "redelivery": delivery.redelivery,
            "duration": delivery.duration,
            "status": delivery.status,
            "status_code": delivery.status_code,
            "event": delivery.event,
            "action": delivery.action,
            "installation_id": delivery.installation,
            "repository_id": delivery.repository,
            "throttled_at": null,
        })
    }

    /// `hook-delivery`.
    pub fn delivery(&self, delivery: &Delivery) -> Value {
        let mut item = self.delivery_item(delivery);
        let payload: Value = serde_json::from_str(&delivery.payload).unwrap_or(Value::Null);
        super::account::merge(
            &mut item,
            json!({
                "url": delivery.url,
                "request": {"headers": delivery.request_headers, "payload": payload},
                "response": {"headers": delivery.response_headers, "payload": delivery.response_body},
            }),
        );
        item
    }
}
