//! Repositories, branches, commits, comparisons, contents, labels, collaborators.

use crate::world::{REPOSITORY, Who, World, files};

pub async fn drive(world: &World) {
    world.pull_request("code");
    let tip = world
        .sandbox
        .push(REPOSITORY, "bob", "feature/deep", "Deep", &files(&[("a/b.txt", "b\n"), ("run.sh", "x\n")]))
        .unwrap();
    let short = &tip[..7];
    let id = world.sandbox.read(|view| view.world.repository(REPOSITORY).map(|repository| repository.id)).unwrap();
    world.get(Who::Installation, &format!("/repositories/{id}"), 200).await;
    let table = [
        ("", 200),
        ("/branches?per_page=1&page=2", 200),
        ("/branches/main", 200),
        ("/branches/feature%2Fdeep", 200),
        ("/branches/feature/deep", 200),
        ("/branches/nothing", 404),
        ("/git/ref/heads/main", 200),
        ("/git/ref/heads/nothing", 404),
        ("/git/matching-refs/heads/feature", 200),
        ("/commits?sha=feature%2Fdeep&per_page=5", 200),
        ("/commits/code", 200),
        ("/commits/main", 200),
        ("/commits/0000000", 422),
        ("/commits/code/pulls", 200),
        (&format!("/commits/{tip}"), 200),
        (&format!("/commits/{short}"), 200),
        ("/compare/main...code?per_page=100&page=1", 200),
        ("/compare/code...feature%2Fdeep", 200),
        ("/compare/main...main", 200),
        ("/compare/main...nothing", 404),
        ("/contents", 200),
        ("/contents/", 200),
        ("/contents/README.md", 200),
        ("/contents/docs?ref=main", 200),
        ("/contents/a/b.txt?ref=feature%2Fdeep", 200),
        ("/contents/nothing", 404),
        ("/labels", 200),
        ("/labels/release", 200),
        ("/labels/nothing", 404),
        ("/teams", 200),
        ("/collaborators?per_page=100", 200),
        ("/collaborators/bob", 204),
        ("/collaborators/dave", 404),
        ("/collaborators/bob/permission", 200),
        ("/collaborators/carol/permission", 200),
        ("/collaborators/nobody/permission", 404),
    ];
    for (path, status) in table {
        world.repo("GET", path, None, status).await;
    }
    world.get(Who::Person("bob"), &format!("/repos/{REPOSITORY}"), 200).await;
    world.get(Who::Installation, "/repos/octo-org/nothing", 404).await;
    let raw = [("accept", "application/vnd.github.raw+json")];
    let readme = format!("/repos/{REPOSITORY}/contents/README.md");
    world.send_with(Who::Installation, "GET", &readme, None, &raw, 200).await;
}
