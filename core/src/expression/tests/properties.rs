//! What holds of any text.

use proptest::prelude::*;

use super::*;

/// Texts that look like templates far more often than arbitrary ones do.
fn template_like() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{{-",
        "-%}",
        "inputs",
        ".title",
        ".list",
        "[0]",
        "[-1:]",
        "steps",
        "secrets",
        ".A",
        "|",
        "default",
        "upper",
        "map",
        "sort",
        "join",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "'x'",
        "\"ü\"",
        "'\\u12",
        "1",
        "2.5",
        "1e9",
        "99999999999999999999",
        "+",
        "-",
        "*",
        "/",
        "//",
        "**",
        "%",
        "~",
        "==",
        "<",
        "in",
        "is",
        "not",
        "and",
        "or",
        "if",
        "else",
        "elif",
        "endif",
        "for",
        "x",
        "endfor",
        "set",
        "=",
        "with",
        "endwith",
        "raw",
        "endraw",
        "defined",
        "none",
        "true",
        "é",
        "\n",
        "𝄞",
        "range",
        "loop",
        " ",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.join(" "))
}

fn check(text: &str) {
    match Template::parse(text) {
        Err(error) => assert!(text.get(error.range.clone()).is_some(), "{:?} in {text:?}", error.range),
        Ok(template) => {
            for reference in template.references() {
                assert!(text.get(reference.range.clone()).is_some());
                for segment in &reference.path {
                    assert!(text.get(segment.range.clone()).is_some());
                }
            }
            if let Err(EvaluationError { range: Some(range), .. }) = template.evaluate(&context()) {
                assert!(text.get(range.clone()).is_some(), "{range:?} in {text:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        check(&text);
        check(&format!("{{{{ {text} }}}}"));
        check(&format!("{{% {text} %}}"));
    }

    #[test]
    fn what_is_parsed_at_once_is_what_a_scan_lets_through(text in template_like()) {
        for text in [format!("{{{{ {text} }}}}"), text] {
            prop_assert!(!crate::expression::engine::is_taken_unseen(&text), "{text:?}");
        }
    }

    #[test]
    fn any_text_of_the_language_is_answered(text in template_like()) {
        check(&text);
        check(&format!("{{{{ {text} }}}}"));
    }

    #[test]
    fn whole_numbers_stay_whole(left in any::<i32>(), right in 1i32..) {
        let (a, b) = (i64::from(left), i64::from(right));
        prop_assert_eq!(eval(&format!("{{{{ {left} + {right} }}}}")), Ok(json!(a + b)));
        prop_assert_eq!(eval(&format!("{{{{ ({left}) // {right} }}}}")), Ok(json!(a.div_euclid(b))));
        prop_assert_eq!(eval(&format!("{{{{ ({left}) % {right} }}}}")), Ok(json!(a.rem_euclid(b))));
    }
}
