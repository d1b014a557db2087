//! Users, organisations, members, teams, and the API's own addresses.

use crate::world::{Who, World};

pub async fn drive(world: &World) {
    let alice = world.sandbox.account("alice").unwrap().id;
    let table = [
        ("/users/alice", 200),
        ("/users/octo-org", 200),
        ("/users/flowctl-sandbox%5Bbot%5D", 200),
        ("/users/nobody", 404),
        ("/user/1", 404),
        ("/orgs/octo-org", 200),
        ("/orgs/nothing", 404),
        ("/orgs/octo-org/members?per_page=1", 200),
        ("/orgs/octo-org/members/alice", 204),
        ("/orgs/octo-org/members/carol", 404),
        ("/orgs/octo-org/memberships/alice", 200),
        ("/orgs/octo-org/memberships/carol", 404),
        ("/orgs/octo-org/teams", 200),
        ("/orgs/octo-org/teams/leads", 200),
        ("/orgs/octo-org/teams/nobodys", 404),
        ("/orgs/octo-org/teams/leads/members?per_page=100", 200),
        ("/orgs/octo-org/teams/leads/memberships/alice", 200),
        ("/orgs/octo-org/teams/leads/memberships/carol", 404),
        ("/", 200),
        ("/meta", 200),
        ("/rate_limit", 200),
    ];
    for (path, status) in table {
        world.get(Who::Installation, path, status).await;
    }
    world.get(Who::Installation, &format!("/user/{alice}"), 200).await;
    world.get(Who::Person("alice"), "/user", 200).await;
    world.get(Who::Installation, "/user", 403).await;
    world.get(Who::Token(""), "/user", 401).await;
}
