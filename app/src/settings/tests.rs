//! What people read when a setting is wrong, and what the server gets when all is right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

use secrecy::ExposeSecret;

use super::*;

/// A throw-away RSA key, made for these tests only.
const KEY: &str = include_str!("../github/client/testdata/app-key.pem");

fn pairs(given: &[(&str, &str)]) -> std::vec::IntoIter<(String, String)> {
    let pairs: Vec<_> = given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    pairs.into_iter()
}

fn load(given: &[(&str, &str)]) -> (Settings, Vec<Warning>) {
    Settings::load(None, pairs(given)).unwrap()
}

fn faults(given: &[(&str, &str)]) -> String {
    Settings::load(None, pairs(given)).unwrap_err().to_string()
}

#[test]
fn nothing_given_means_the_documented_defaults() {
    let (settings, warnings) = load(&[("PATH", "/bin"), ("HOME", "/nowhere")]);
    assert_eq!(warnings, []);
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.public_url.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(settings.database_url.expose_secret(), "sqlite://./flowctl-data/flowctl.db");
    assert_eq!((settings.lease_seconds, settings.workers), (30, 256));
    let days = |count: u64| Some(Duration::from_secs(count * 24 * 60 * 60));
    assert_eq!((settings.keep_executions, settings.keep_events), (days(365), days(30)));
    assert_eq!(load(&[("FLOWCTL_KEEP_EXECUTIONS_DAYS", "0")]).0.keep_executions, None, "for ever");
    assert_eq!(settings.log, "info");
    assert!(settings.github.is_none() && settings.api_token.is_none() && settings.repositories.is_empty());
    assert!(!settings.allow_private_networks && !settings.api_act_as);
}

#[test]
fn every_wrong_value_is_told_at_once_and_no_secret_is_shown() {
    let told = faults(&[
        ("FLOWCTL_LISTEN", "8080"),
        ("FLOWCTL_PUBLIC_URL", "flows.example.com"),
        ("FLOWCTL_DATABASE_URL", "mysql://root:hunter2@db"),
        ("FLOWCTL_GITHUB_APP_ID", "my-app"),
        ("FLOWCTL_GITHUB_PRIVATE_KEY", "hunter3"),
        ("FLOWCTL_GITHUB_WRITE_INTERVAL_MS", "-1"),
        ("FLOWCTL_API_TOKEN", "hunter4"),
        ("FLOWCTL_API_ACT_AS", "yes"),
        ("FLOWCTL_LOG_FORMAT", "xml"),
        ("FLOWCTL_LEASE_SECONDS", "0"),
        ("FLOWCTL_REPOSITORIES", "here,a=/does/not/exist"),
    ]);
    insta::assert_snapshot!(told, @r#"
    13 settings are wrong:
      FLOWCTL_LISTEN (environment) is "8080": expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080
      FLOWCTL_PUBLIC_URL (environment) is "flows.example.com": expected an http or https URL without query, such as https://flows.example.com
      FLOWCTL_DATABASE_URL (environment): expected sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME
      FLOWCTL_GITHUB_APP_ID (environment) is "my-app": expected the App's id, a whole number from 1
      FLOWCTL_GITHUB_PRIVATE_KEY (environment): expected the App's RSA private key in PEM form (-----BEGIN …)
      FLOWCTL_GITHUB_WRITE_INTERVAL_MS (environment) is "-1": expected a whole number of milliseconds from 0 to 60000
      FLOWCTL_GITHUB_WEBHOOK_SECRET (not set): the GitHub App is set up in part; give this too, or none of FLOWCTL_GITHUB_APP_ID, FLOWCTL_GITHUB_PRIVATE_KEY and FLOWCTL_GITHUB_WEBHOOK_SECRET
      FLOWCTL_REPOSITORIES (environment) is "here": expected NAME=DIRECTORY
      FLOWCTL_REPOSITORIES (environment) is "a=/does/not/exist": expected a directory that exists after the `=`
      FLOWCTL_API_TOKEN (environment): expected at least 16 characters without spaces
      FLOWCTL_API_ACT_AS (environment) is "yes": expected true or false
      FLOWCTL_LOG_FORMAT (environment) is "xml": expected text or json
      FLOWCTL_LEASE_SECONDS (environment) is "0": expected a whole number of seconds from 1 to 3600
    "#);
    assert!(!told.contains("hunter"));
}

/// The first commit of a repository, with nothing in it.
fn commit(git: &git2::Repository) {
    let tree = git.find_tree(git.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let ann = git2::Signature::now("Ann", "ann@example.com").unwrap();
    git.commit(Some("HEAD"), &ann, &ann, "Begin", &tree, &[]).unwrap();
}

#[test]
fn a_folder_without_git_was_served_as_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let entry = format!("shop={}", folder.path().display());
    let told = faults(&[("FLOWCTL_REPOSITORIES", &entry)]);
    assert!(told.contains("expected a git repository after the `=`; `git init` makes one"), "{told}");

    let git = git2::Repository::init(folder.path()).unwrap();
    let (settings, warnings) = load(&[("FLOWCTL_REPOSITORIES", &entry)]);
    assert_eq!(settings.repositories.len(), 1);
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    let expected = "FLOWCTL_REPOSITORIES: `shop` has no commit yet; nothing of it is served until it has one";
    assert_eq!(told, [expected]);
    commit(&git);
    assert_eq!(load(&[("FLOWCTL_REPOSITORIES", &entry)]).1, []);
}

#[test]
fn a_filter_that_would_silently_log_nothing_is_refused() {
    for wrong in ["bogus=,", "bogus=", ",", "inof", "flowctl_app=inof", "info,", "info,,warn", "flowctl_app", "[span]="]
    {
        let told = faults(&[("FLOWCTL_LOG", wrong)]);
        let expected = format!(
            "1 setting is wrong:\n  FLOWCTL_LOG (environment) is {wrong:?}: \
             expected a filter, such as info or flowctl_app=debug,warn"
        );
        assert_eq!(told.trim_end(), expected);
    }
    for right in ["info", "off", "WARN", "3", "flowctl_app=debug,warn", "warn,a::b=trace", "[span]", "a[b{c=1}]=debug"]
    {
        assert_eq!(load(&[("FLOWCTL_LOG", right)]).0.log, right);
    }
}

#[test]
fn an_app_without_its_key_is_an_error_that_says_so() {
    insta::assert_snapshot!(faults(&[("FLOWCTL_GITHUB_APP_ID", "7"), ("FLOWCTL_GITHUB_WEBHOOK_SECRET", "s")]), @r"
    1 setting is wrong:
      FLOWCTL_GITHUB_PRIVATE_KEY (not set): the GitHub App is set up in part; give this too, or none of FLOWCTL_GITHUB_APP_ID, FLOWCTL_GITHUB_PRIVATE_KEY and FLOWCTL_GITHUB_WEBHOOK_SECRET
    ");
}

#[test]
fn a_key_for_nats_without_its_address_is_an_error_that_says_so() {
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    insta::assert_snapshot!(faults(&[("FLOWCTL_NATS_NKEY", seed)]), @r"
    1 setting is wrong:
      FLOWCTL_NATS_URL (not set): FLOWCTL_NATS_NKEY is a key for NATS; give the address of its servers too
    ");
}

#[test]
fn a_whole_app_is_read() {
    let (settings, _) = load(&[
        ("FLOWCTL_GITHUB_APP_ID", "7"),
        ("FLOWCTL_GITHUB_PRIVATE_KEY", &KEY.replace('\n', "\\n")),
        ("FLOWCTL_GITHUB_WEBHOOK_SECRET", "s"),
        ("FLOWCTL_GITHUB_API_URL", "http://127.0.0.1:9/api/v3/"),
        ("FLOWCTL_GITHUB_WRITE_INTERVAL_MS", "0"),
    ]);
    let github = settings.github.unwrap();
    assert_eq!(github.app_id, 7);
    assert_eq!(github.api_url.as_str(), "http://127.0.0.1:9/api/v3");
    assert_eq!(github.web_url.as_str(), "http://127.0.0.1:9/");
    assert_eq!(github.private_key.expose_secret(), KEY);
    assert_eq!(github.write_interval, Duration::ZERO);
}

#[test]
fn the_place_of_clones_is_never_guessed_to_be_another_server() {
    for (api, web) in [
        ("https://api.github.com", Some("https://github.com/")),
        ("https://api.octo.ghe.com", Some("https://octo.ghe.com/")),
        ("https://git.example.com/api/v3", Some("https://git.example.com/")),
        ("https://git.example.com", None),
        ("https://api.example.com", None),
        ("http://127.0.0.1:3000/github", None),
    ] {
        let url = web_url_of(&base_url(api).unwrap());
        assert_eq!(url.as_ref().map(Url::as_str), web, "{api}");
    }
}

#[test]
fn a_misspelt_name_is_a_warning_with_a_suggestion() {
    let (_, warnings) = load(&[
        ("FLOWCTL_LISTN", "127.0.0.1:1"),
        ("FLOWCTL_GITHUB_WEBHOOK_SECRT", "s"),
        ("FLOWCTL_COLOUR_OF_THE_SKY", "blue"),
        ("FLOWCTL_AI_SPEED", "fast"),
        ("FLOWCTL_SERVER", "http://127.0.0.1"),
        ("FLOWCTL_LISTEN_FILE", "/x"),
    ]);
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    FLOWCTL_AI_SPEED: this version of flowctl does not read it
    FLOWCTL_COLOUR_OF_THE_SKY: no setting has this name; it is ignored
    FLOWCTL_GITHUB_WEBHOOK_SECRT: no setting has this name; did you mean FLOWCTL_GITHUB_WEBHOOK_SECRET?
    FLOWCTL_LISTEN_FILE: no setting has this name; it is ignored
    FLOWCTL_LISTN: no setting has this name; did you mean FLOWCTL_LISTEN?
    ");
}

#[test]
fn the_environment_wins_over_the_file_and_files_hold_secrets() {
    let directory = tempfile::tempdir().unwrap();
    commit(&git2::Repository::init(directory.path()).unwrap());
    let token = directory.path().join("token");
    std::fs::write(&token, "0123456789abcdef\n").unwrap();
    let config = directory.path().join("flowctl.toml");
    let text = format!(
        "listen = \"127.0.0.1:1\"\nlease_seconds = 5\nallow_private_networks = true\napi_token_file = {token:?}\n\
         secret_npm = \"n\"\nrepositories = [\"demo={0}\", \"other={0}\"]\nlisten_adress = 1\n",
        directory.path().display()
    );
    std::fs::write(&config, text).unwrap();
    let given = [("FLOWCTL_LISTEN", "127.0.0.1:2"), ("FLOWCTL_SECRET_DEPLOY_KEY_FILE", token.to_str().unwrap())];
    let (settings, warnings) = Settings::load(Some(&config), pairs(&given)).unwrap();
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.lease_seconds, 5);
    assert!(settings.allow_private_networks);
    assert_eq!(settings.api_token.unwrap().expose_secret(), "0123456789abcdef");
    let secrets: Vec<_> = settings.secrets.iter().map(|(name, text)| (name.as_str(), text.expose_secret())).collect();
    assert_eq!(secrets, [("DEPLOY_KEY", "0123456789abcdef"), ("NPM", "n")]);
    assert_eq!(settings.repositories.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["demo", "other"]);
    assert_eq!(warnings.len(), 1);
}

#[test]
fn a_secret_given_twice_or_in_a_file_that_is_not_there_is_an_error() {
    let told = faults(&[
        ("FLOWCTL_API_TOKEN", "0123456789abcdef"),
        ("FLOWCTL_API_TOKEN_FILE", "/does/not/exist"),
        ("FLOWCTL_SECRET_A_FILE", "/does/not/exist"),
    ]);
    insta::assert_snapshot!(told, @r#"
    2 settings are wrong:
      FLOWCTL_API_TOKEN_FILE (environment) is "/does/not/exist": the file cannot be read: No such file or directory (os error 2)
      FLOWCTL_SECRET_A_FILE (environment) is "/does/not/exist": the file cannot be read: No such file or directory (os error 2)
    "#);
    let twice = faults(&[("FLOWCTL_SECRET_a", "1"), ("FLOWCTL_SECRET_A", "2")]);
    insta::assert_snapshot!(twice, @r"
    1 setting is wrong:
      FLOWCTL_SECRET_A (environment variable FLOWCTL_SECRET_a): it is already given by environment variable FLOWCTL_SECRET_A; keep one of the two
    ");
}

#[test]
fn a_file_that_is_not_toml_is_an_error_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("flowctl.toml");
    std::fs::write(&config, "listen = \n").unwrap();
    let told = Settings::load(Some(&config), pairs(&[])).unwrap_err().to_string();
    assert!(told.contains("flowctl.toml") && told.contains("not TOML"), "{told}");
    let missing = Settings::load(Some(&directory.path().join("none.toml")), pairs(&[])).unwrap_err().to_string();
    let file = directory.path().join("none.toml");
    let named = format!("--config {}: the file cannot be read", file.display());
    assert!(missing.contains(&named), "{missing}");
}

#[test]
fn the_printed_settings_show_no_secret() {
    let (settings, _) = load(&[("FLOWCTL_API_TOKEN", "hunter2hunter2hunter2"), ("FLOWCTL_SECRET_A", "hunter3")]);
    assert!(!format!("{settings:?}").contains("hunter"));
}

#[test]
fn links_follow_the_address_that_was_bound_unless_they_were_given() {
    let bound: SocketAddr = "0.0.0.0:4711".parse().unwrap();
    let (settings, _) = load(&[]);
    assert_eq!(settings.with_bound_address(bound).public_url.as_str(), "http://127.0.0.1:4711/");
    let (settings, _) = load(&[("FLOWCTL_PUBLIC_URL", "https://flows.example.com/base/")]);
    assert_eq!(settings.with_bound_address(bound).public_url.as_str(), "https://flows.example.com/base");
}

#[test]
fn every_setting_is_documented_with_what_it_may_be_and_no_other() {
    let page = include_str!("../../../docs/settings.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `FLOWCTL_")).collect();
    for setting in TABLE {
        assert_eq!(setting.variable(), format!("FLOWCTL_{}", setting.name.to_uppercase()));
        let own = format!("| `{}` |", setting.variable());
        let row = rows.iter().find(|row| row.starts_with(&own)).unwrap_or_else(|| panic!("no row {own}"));
        assert!(!setting.meaning.is_empty(), "{own}");
        assert!(row.contains(&format!("| {} |", setting.expected)), "{row}\nbut it is {}", setting.expected);
    }
    // Beside them stand the secrets of definitions, which have names of their own.
    assert_eq!(rows.len(), TABLE.len() + 1, "{rows:#?}");
}
