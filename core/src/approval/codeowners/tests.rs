#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn owners(text: &str, path: &str) -> String {
    let read = CodeOwners::read(text);
    read.owners_of(path).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The cases that GitHub's page describes, each with paths that are meant and paths that are not.
#[test]
fn patterns_mean_what_github_says() {
    for (pattern, meant, not_meant) in [
        ("*", vec!["a", "a/b/c.md", ".github/x"], vec![]),
        ("*.js", vec!["a.js", "src/deep/a.js"], vec!["a.jsx", "js", "a.js.map"]),
        ("/build/logs/", vec!["build/logs/a", "build/logs/b/c"], vec!["build/logs", "x/build/logs/a", "build/log/a"]),
        ("docs/*", vec!["docs/getting-started.md"], vec!["docs/build-app/troubleshooting.md", "x/docs/a.md", "docs"]),
        ("apps/", vec!["apps/a", "x/apps/a/b"], vec!["apps", "x/myapps/a"]),
        ("/docs/", vec!["docs/a", "docs/b/c"], vec!["x/docs/a"]),
        ("/scripts/", vec!["scripts/a"], vec!["x/scripts/a"]),
        ("**/logs", vec!["build/logs/a", "scripts/logs", "deeply/nested/logs/b", "logs/a"], vec!["build/logsx/a"]),
        ("/apps/github", vec!["apps/github", "apps/github/a"], vec!["apps/githubx", "x/apps/github"]),
        ("src/**/test", vec!["src/test", "src/a/test/b", "src/a/b/test"], vec!["src/a/tests", "x/src/test"]),
        ("src/**", vec!["src/a", "src/a/b"], vec!["src", "srcx/a"]),
        ("a?c.md", vec!["abc.md", "x/aüc.md"], vec!["ac.md", "a/c.md"]),
        ("/*", vec!["a"], vec!["a/b"]),
        ("/*/", vec!["a/b", "a/b/c"], vec!["a"]),
        ("/a*b*c", vec!["abc", "aXbYbc", "abc/d"], vec!["ab", "acb", "x/abc"]),
        ("Docs", vec!["Docs/a"], vec!["docs/a"]),
        (r"with\ space/", vec!["with space/a"], vec!["with/a"]),
        ("[id].md", vec!["[id].md"], vec!["i.md", "d.md"]),
        ("/", vec![], vec!["a", "a/b"]),
        ("**", vec!["a", "a/b"], vec![]),
        ("**/**/x", vec!["x", "a/b/x"], vec!["a"]),
        ("a/*/c", vec!["a/b/c", "a/b/c/d"], vec!["a/c", "a/b/b/c"]),
    ] {
        let text = format!("{pattern} @me");
        for path in meant {
            assert_eq!(owners(&text, path), "@me", "{pattern} means {path}");
        }
        for path in not_meant {
            assert_eq!(owners(&text, path), "", "{pattern} does not mean {path}");
        }
    }
}

#[test]
fn the_last_line_that_matches_counts_and_may_name_nobody() {
    let file = "
# Everything
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats#and another
/apps/ @octocat
/apps/github
/apps/github/secret @doctocat
";
    for (path, expected) in [
        ("README", "@global-owner1 @global-owner2"),
        ("a/b.js", "@js-owner"),
        ("x.go", "docs@example.com"),
        ("x.txt", "@octo-org/octocats"),
        ("apps/a.js", "@octocat"),
        ("apps/github/a.js", ""),
        ("apps/github/secret/key", "@doctocat"),
    ] {
        assert_eq!(owners(file, path), expected, "{path}");
    }
    assert_eq!(CodeOwners::read(file).faults(), []);
}

#[test]
fn lines_that_cannot_be_read_are_skipped_and_told() {
    let file = "* @all\n!a @b\n\\#x @b\nb.md bob\nc.md @a/b/c\na***b @c\nd.md @ok @\n/x//y @z\ne.md mail@\ntail\\\n[Section]\n";
    let read = CodeOwners::read(file);
    let faults: Vec<String> = read.faults().iter().map(|fault| format!("{}: {}", fault.line, fault.message)).collect();
    insta::assert_snapshot!(faults.join("\n"), @r"
    2: a pattern cannot be negated with `!`
    3: a pattern cannot begin with `#`
    4: `bob` is neither @user, @organisation/team nor an e-mail address
    5: `@a/b/c` is neither @user, @organisation/team nor an e-mail address
    6: three asterisks in a row are no pattern
    7: `@` is neither @user, @organisation/team nor an e-mail address
    8: two slashes stand beside each other
    9: `mail@` is neither @user, @organisation/team nor an e-mail address
    10: nothing follows the last backslash
    ");
    for path in ["a", "b.md", "c.md", "d.md", "e.md"] {
        assert_eq!(owners(file, path), "@all", "{path}");
    }
}

#[test]
fn a_file_of_three_megabytes_counts_for_nothing() {
    let mut file = "* @all\n".to_owned();
    file.push_str(&"#".repeat(TOO_LARGE));
    assert_eq!(owners(&file, "a"), "");
    assert_eq!(CodeOwners::read(&file).faults().len(), 1);
}

#[test]
fn owners_are_the_same_whatever_their_case() {
    let of = |text: &str| text.parse::<Owner>().unwrap();
    assert!(of("@Octo-Org/DBA").is(&of("@octo-org/dba")));
    assert!(!of("@octo-org/dba").is(&of("@dba")));
    let read = CodeOwners::read("* @Ann @ann");
    assert_eq!(read.owners_of("x").len(), 1);
}

#[test]
fn changed_paths_are_gathered_by_their_owners() {
    let read = CodeOwners::read("src/db/ @octo-org/dba\n/web/ @ann @ben\n");
    let paths = ["src/db/a.sql", "README.md", "web/a", "src/db/b.sql"];
    let owned = Owned::of(&read, paths);
    let told: Vec<String> = owned.groups.iter().map(|group| format!("{:?} {}", group.paths, group.count)).collect();
    assert_eq!(told, [r#"["src/db/a.sql", "src/db/b.sql"] 2"#, r#"["web/a"] 1"#]);
    assert_eq!((owned.unowned, owned.owners().len(), owned.is_nobodys()), (1, 3, false));
}

proptest! {
    #[test]
    fn nothing_that_is_written_there_brings_it_down(text in "[ -~\\n#@*/\\\\ü]{0,200}", path in "[ -~ü]{0,60}") {
        let read = CodeOwners::read(&text);
        let lines = text.lines().count();
        prop_assert!(read.faults().iter().all(|fault| (1..=lines).contains(&fault.line)));
        let _ = read.owners_of(&path);
    }

    #[test]
    fn a_path_is_meant_by_itself_and_by_each_folder_above_it(parts in prop::collection::vec("[a-z]{1,4}", 1..6)) {
        let path = parts.join("/");
        for end in 1..=parts.len() {
            let text = format!("/{} @me", parts[..end].join("/"));
            prop_assert_eq!(owners(&text, &path), "@me");
        }
    }
}
