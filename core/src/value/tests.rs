#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn fault<T: std::str::FromStr<Err = ValueError>>(text: &str) -> String {
    match text.parse::<T>() {
        Ok(_) => panic!("`{text}` was taken"),
        Err(error) => format!("{}..{} {error}", error.range.start, error.range.end),
    }
}

#[test]
fn durations_are_read_and_written() {
    let table = [
        ("90s", 90_000, "1m30s"),
        ("5m", 300_000, "5m"),
        ("1h30m", 5_400_000, "1h30m"),
        ("7d", 604_800_000, "1w"),
        ("10d", 864_000_000, "10d"),
        ("250ms", 250, "250ms"),
        ("0s", 0, "0s"),
    ];
    for (text, millis, written) in table {
        let duration: Duration = text.parse().unwrap();
        assert_eq!((duration.as_millis(), duration.to_string().as_str()), (millis, written), "{text}");
    }
}

#[test]
fn malformed_durations_say_where() {
    assert_eq!(
        fault::<Duration>("5"),
        "0..1 `5` has a number without a unit; add `ms`, `s`, `m`, `h`, `d` or `w`, as in `30s`"
    );
    for (written, message) in [
        ("24 hours", "`hours` is no unit of time; did you mean `24h`?"),
        ("1 Hour 30 minutes", "`Hour` is no unit of time; did you mean `1h30m`?"),
        ("7 d", "a duration has no spaces; did you mean `7d`?"),
        ("30S", "`S` is no unit of time; did you mean `30s`?"),
        ("2mins", "`mins` is no unit of time; did you mean `2m`?"),
    ] {
        assert_eq!(fault::<Duration>(written), format!("0..{} {message}", written.len()));
    }
    for other in [
        "2 months",
        "5 minutes 1 hour",
        "24 hours!",
        "hours",
        "1 2",
        "9999999999999999999999 hours",
        "9999999999999999999999h",
    ] {
        assert!(!fault::<Duration>(other).contains("did you mean"), "{other}");
    }
    assert_eq!(fault::<Duration>("5x"), "1..2 `x` is no unit of time; the units are `ms`, `s`, `m`, `h`, `d` and `w`");
    assert_eq!(
        fault::<Duration>("5m1h"),
        "2..4 `h` comes after a smaller unit or twice; write the largest unit first, as in `1h30m`"
    );
    assert!(fault::<Duration>("").contains("empty"));
    assert!(fault::<Duration>("999999999999999999999s").contains("too large"));
    assert!(fault::<Duration>("99999999d").contains("a hundred years"));
    assert!(fault::<Duration>("-5m").contains("a number is expected"));
}

#[test]
fn names_say_what_to_write_instead() {
    assert_eq!(fault::<StepId>("Ask-Leads"), "0..1 a step's id may not contain `A`; write `ask_leads`");
    assert_eq!(
        fault::<StepId>("9lives"),
        "0..1 a step's id begins with a lower-case letter, not with `9`; use lower-case letters, digits and `_`"
    );
    assert_eq!(fault::<Slug>("my_process"), "2..3 a process's name may not contain `_`; write `my-process`");
    assert!(fault::<Slug>(&"a".repeat(64)).contains("longer than 63"));
    assert!(fault::<Slug>("{{ inputs.name }}").contains("cannot hold a template"));
    assert!(fault::<Duration>("{% if x %}5m{% endif %}").contains("`{% … %}`"));
    assert!("a".parse::<Slug>().is_ok());
}

#[test]
fn money_is_decimal_and_has_a_currency() {
    assert_eq!("0.50 USD".parse::<Money>().unwrap().to_string(), "0.50 USD");
    assert!(fault::<Money>("5").contains("lacks a currency"));
    assert!(fault::<Money>("5 dollars").starts_with("2..9"));
    assert!(fault::<Money>("-5 USD").contains("no amount"));
    let sum = "0.10 USD".parse::<Money>().unwrap().checked_add(&"0.20 USD".parse().unwrap());
    assert_eq!(sum.unwrap().to_string(), "0.30 USD");
    assert_eq!("1 USD".parse::<Money>().unwrap().checked_add(&"1 EUR".parse().unwrap()), None);
}

#[test]
fn time_tables_are_read_in_their_zone() {
    let cron: Cron = "30 2 * * 1-5".parse().unwrap();
    let zone: TimeZoneName = "Europe/Berlin".parse().unwrap();
    let friday = "2026-03-06T10:00:00Z".parse::<jiff::Timestamp>().unwrap().to_zoned(zone.zone().clone());
    assert_eq!(cron.next_after(&friday).unwrap().timestamp().to_string(), "2026-03-09T01:30:00Z");
    assert!(fault::<Cron>("0 9 * *").contains("has 4"));
    assert!(fault::<Cron>("61 9 * * *").starts_with("0..2 `61` is no minute; a minute is 0 to 59"));
    assert!(fault::<Cron>(" 0  25 * * *").starts_with("4..6 `25` is no hour"));
    assert!(fault::<Cron>("0 9 * * FOO").starts_with("8..11 `FOO` is no day of week"));
}

#[test]
fn a_misspelt_time_zone_is_told_with_the_one_that_was_meant() {
    let told = |text: &str| fault::<TimeZoneName>(text).split_once("; ").unwrap().1.to_owned();
    for (written, meant) in [
        ("Europe/Zurch", "Europe/Zurich"),
        ("europe/zürich", "Europe/Zurich"),
        ("America/New York", "America/New_York"),
        ("Europ/Berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("America/Argentina/Ushuia", "America/Argentina/Ushuaia"),
        ("UTZ", "UTC"),
    ] {
        assert_eq!(told(written), format!("did you mean `{meant}`?"), "{written}");
    }
    for written in ["Mars/Base", "+02:00", ""] {
        assert_eq!(told(written), "write a name such as `Europe/Berlin` or `UTC`", "{written}");
    }
}

#[test]
fn patterns_match_as_github_says() {
    let table = [
        ("main", "main", true),
        ("main", "mainline", false),
        ("releases/*", "releases/1.0", true),
        ("releases/*", "releases/1/0", false),
        ("releases/**", "releases/1/0", true),
        ("**", "any/thing", true),
        ("**/*.md", "README.md", true),
        ("**/*.md", "docs/a/b.md", true),
        ("*.jsx?", "page.js", true),
        ("v[12].*", "v2.0", true),
        ("v[12].*", "v3.0", false),
        ("a.b", "axb", false),
    ];
    for (pattern, text, expected) in table {
        assert_eq!(pattern.parse::<Glob>().unwrap().matches(text), expected, "{pattern} {text}");
    }
    let globs: Vec<Glob> = ["docs/**", "!docs/secret/**", "docs/secret/open.md"].map(|g| g.parse().unwrap()).into();
    assert!(any_matches(&globs, "docs/a.md"));
    assert!(!any_matches(&globs, "docs/secret/a.md"));
    assert!(any_matches(&globs, "docs/secret/open.md"));
    assert!(fault::<Glob>("v[12").contains("no pattern"));
}

#[test]
fn logins_know_no_case() {
    assert_eq!("Octocat".parse::<Login>().unwrap(), "octocat".parse::<Login>().unwrap());
    assert_eq!(fault::<Login>("@octocat"), "0..1 a login is written without `@`; write `octocat`");
    assert!(fault::<Login>("a b").contains("may not contain"));
}

/// What is wrong with the only value of a file: the text that is pointed at, the message, the help.
fn in_file<T: serde::de::DeserializeOwned + std::fmt::Debug>(text: &str) -> (String, String, Option<String>) {
    let parsed = crate::source::parse(text);
    let root = parsed.document.root().unwrap();
    let error = crate::source::from_node::<T>(&parsed.document, root, &crate::source::Pruned::none()).unwrap_err();
    (text.get(error.span.range()).unwrap().to_owned(), error.message, error.help)
}

#[test]
fn in_a_file_the_wrong_part_is_pointed_at() {
    let (place, message, help) = in_file::<Duration>("'5m7x'");
    assert_eq!((place.as_str(), message.as_str()), ("x", "`x` is no unit of time"));
    assert_eq!(help.unwrap(), "the units are `ms`, `s`, `m`, `h`, `d` and `w`");
    let (place, _, help) = in_file::<StepId>("\"ask\\u0021me\"");
    assert_eq!(
        (place.as_str(), help.as_deref()),
        ("\\u0021", Some("write `ask_me`")),
        "an escape is pointed at as a whole"
    );
    let (place, message, _) = in_file::<Duration>("90");
    assert_eq!((place.as_str(), message.as_str()), ("90", "expected a duration such as `30s`, found the number 90"));
    let (place, ..) = in_file::<Vec<Login>>("[octocat, '@hubot']");
    assert_eq!(place, "@");
    let (place, ..) = in_file::<indexmap::IndexMap<crate::source::Spanned<StepId>, u8>>("a: 1\nb-c: 2\n");
    assert_eq!(place, "-");
}

#[test]
fn from_json_the_message_says_it_all() {
    let error = serde_json::from_str::<Duration>("\"5x\"").unwrap_err().to_string();
    assert!(error.starts_with("`x` is no unit of time; the units are"), "{error}");
    assert!(serde_json::from_str::<Money>("5").is_err());
    let map: std::collections::BTreeMap<String, Slug> = serde_json::from_str("{\"a\": \"b\"}").unwrap();
    assert_eq!(serde_json::to_string(&map).unwrap(), "{\"a\":\"b\"}");
}

/// The patterns are for editors: they may be laxer than reading, never stricter.
#[test]
fn editors_take_what_is_read() {
    fn takes<T: schemars::JsonSchema + std::str::FromStr<Err = ValueError>>(texts: &[&str]) {
        let schema = crate::source::Schema::compile(&schemars::schema_for!(T).to_value()).unwrap();
        for text in texts {
            assert!(text.parse::<T>().is_ok(), "{text}");
            assert!(schema.accepts(&serde_json::Value::from(*text)), "{text}");
        }
        assert!(!schema.accepts(&serde_json::Value::from("")));
        assert!(!schema.accepts(&serde_json::Value::from(5)));
    }
    takes::<Duration>(&["0s", "250ms", "1w2d3h4m5s6ms"]);
    takes::<StepId>(&["a", "ask_leads_2"]);
    takes::<Slug>(&["a", "production-access", "a--"]);
    takes::<Money>(&["0.50 USD", "20 EUR", ".5 EUR"]);
    takes::<Cron>(&["0 9 * * 1-5", " 0  9 * * MON "]);
    takes::<TimeZoneName>(&["UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"]);
    takes::<Glob>(&["main", "!releases/**", "a b/ü?"]);
    takes::<Login>(&["octocat", "a-b", "jane_corp"]);
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_and_read_again(millis in 0_u64..MAX) {
        let duration = Duration::from_millis(millis);
        prop_assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration);
    }

    #[test]
    fn texts_survive_reading_and_writing(
        id in "[a-z][a-z0-9_]{0,62}",
        slug in "[a-z][a-z0-9-]{0,62}",
        money in "[0-9]{1,12}(\\.[0-9]{1,6})? [A-Z]{3}",
        login in "[a-zA-Z0-9][a-zA-Z0-9-]{0,30}[a-z]",
        glob in "!?[a-z*/.]{1,20}",
        cron in "([0-9]|[1-5][0-9]|\\*) ([0-9]|\\*/2) (1|15|\\*) (\\*|JAN|1-6) (\\*|1-5|SUN)",
    ) {
        prop_assert_eq!(id.parse::<StepId>().unwrap().to_string(), id);
        prop_assert_eq!(slug.parse::<Slug>().unwrap().to_string(), slug);
        prop_assert_eq!(login.parse::<Login>().unwrap().to_string(), login);
        prop_assert_eq!(glob.parse::<Glob>().unwrap().to_string(), glob);
        prop_assert_eq!(cron.parse::<Cron>().unwrap().to_string(), cron);
        let read = money.parse::<Money>().unwrap();
        prop_assert_eq!(read.to_string().parse::<Money>().unwrap(), read);
    }

    #[test]
    fn nothing_panics_and_ranges_are_inside(text in ".{0,40}") {
        let faults = [
            text.parse::<Duration>().err(),
            text.parse::<StepId>().err(),
            text.parse::<Slug>().err(),
            text.parse::<Money>().err(),
            text.parse::<Cron>().err(),
            text.parse::<TimeZoneName>().err(),
            text.parse::<Glob>().err(),
            text.parse::<Login>().err(),
        ];
        for fault in faults.into_iter().flatten() {
            prop_assert!(text.get(fault.range.clone()).is_some(), "{:?} of {:?}", fault, text);
        }
    }
}

const MAX: u64 = 100 * 365 * 86_400_000;
