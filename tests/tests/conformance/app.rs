//! The App itself, its installations, tokens and deliveries.

use serde_json::json;

use crate::world::{REPOSITORY, Who, World, id};

pub async fn drive(world: &World) {
    let slug = world.sandbox.app().slug;
    world.get(Who::App, "/app", 200).await;
    world.get(Who::Installation, "/app", 401).await;
    world.get(Who::Installation, &format!("/apps/{slug}"), 200).await;
    world.get(Who::Installation, "/apps/github-actions", 200).await;
    world.get(Who::Installation, "/apps/nobodys", 404).await;
    installations(world).await;
    tokens(world).await;
    hooks(world).await;
}

/// Another App takes the place of this one: the last that is done.
pub async fn register(world: &World) {
    let manifest = json!({
        "name": "flowctl", "url": "https://flowctl.example", "redirect_url": "https://flowctl.example/setup/callback",
        "hook_attributes": {"url": "https://flowctl.example/webhooks/github"}, "default_permissions": {"checks": "write"},
    });
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = [("manifest", manifest.to_string())];
    let page = format!("{}/settings/apps/new?state=anything", world.sandbox.web_url());
    let answer = client.post(page).form(&form).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap();
    let code = back.split(['=', '&']).nth(1).unwrap();
    world.send(Who::Token(""), "POST", &format!("/app-manifests/{code}/conversions"), None, 201).await;
    world.send(Who::Token(""), "POST", "/app-manifests/nothing/conversions", None, 404).await;
}

async fn installations(world: &World) {
    world.sandbox.create_user("dave").unwrap();
    let other = world.sandbox.install("dave", Some(&[])).unwrap();
    world.get(Who::App, "/app/installations?per_page=1&page=2", 200).await;
    world.get(Who::App, &format!("/app/installations/{}", world.installation), 200).await;
    world.get(Who::App, "/app/installations/1", 404).await;
    world.get(Who::App, &format!("/repos/{REPOSITORY}/installation"), 200).await;
    world.get(Who::App, "/repos/octo-org/nothing/installation", 404).await;
    world.get(Who::App, "/orgs/octo-org/installation", 200).await;
    world.get(Who::App, "/users/dave/installation", 200).await;
    world.get(Who::App, "/users/carol/installation", 404).await;
    let of_other = format!("/app/installations/{other}");
    world.send(Who::App, "PUT", &format!("{of_other}/suspended"), None, 204).await;
    world.get(Who::App, &of_other, 200).await;
    world.send(Who::App, "POST", &format!("{of_other}/access_tokens"), None, 403).await;
    world.send(Who::App, "DELETE", &format!("{of_other}/suspended"), None, 204).await;
    world.send(Who::App, "PUT", "/app/installations/1/suspended", None, 404).await;
    world.send(Who::App, "DELETE", "/app/installations/1/suspended", None, 404).await;
    world.send(Who::App, "DELETE", &of_other, None, 204).await;
    world.send(Who::App, "DELETE", &of_other, None, 404).await;
}

async fn tokens(world: &World) {
    let path = format!("/app/installations/{}/access_tokens", world.installation);
    let narrow = json!({"repositories": ["shop"], "permissions": {"checks": "write", "metadata": "read"}});
    let made = world.send(Who::App, "POST", &path, Some(narrow), 201).await;
    world.send(Who::App, "POST", &path, Some(json!({"repositories": ["nothing"]})), 422).await;
    world.send(Who::App, "POST", &path, Some(json!({"permissions": {"administration": "write"}})), 422).await;
    world.send(Who::App, "POST", "/app/installations/1/access_tokens", None, 404).await;
    world.send(Who::Token("ghs_wrong"), "POST", &path, None, 401).await;
    let token = made["token"].as_str().unwrap_or_default();
    world.get(Who::Token(token), "/installation/repositories?per_page=100", 200).await;
    world.get(Who::Person("alice"), "/installation/repositories", 403).await;
    world.send(Who::Token(token), "DELETE", "/installation/token", None, 204).await;
    world.get(Who::Token(token), "/installation/repositories", 401).await;
}

async fn hooks(world: &World) {
    world.settle().await;
    world.get(Who::App, "/app/hook/config", 200).await;
    let deliveries = world.get(Who::App, "/app/hook/deliveries?per_page=2&status=success", 200).await;
    let first = id(&deliveries[0]);
    world.get(Who::App, &format!("/app/hook/deliveries?cursor={first}"), 200).await;
    world.get(Who::App, &format!("/app/hook/deliveries/{first}"), 200).await;
    world.send(Who::App, "POST", &format!("/app/hook/deliveries/{first}/attempts"), None, 202).await;
    world.settle().await;
}
