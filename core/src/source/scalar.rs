//! What a scalar is: YAML 1.2.2's core schema (section 10.3.2), as far as JSON can say it.
//! `on`, `yes` and `no` are text, and so are `.inf` and `.nan`, for which JSON has no number.

use serde::Serialize;
use serde_json::Number;

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalarStyle {
    /// Without quotes.
    Plain,
    /// In `'…'`.
    SingleQuoted,
    /// In `"…"`.
    DoubleQuoted,
    /// A block after `|`.
    Literal,
    /// A block after `>`.
    Folded,
    /// A template without quotes, taken as the text it was meant to be (a fault says so).
    UnquotedTemplate,
}

/// A scalar's value with its type.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved<'a> {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// An integer that fits into 64 bits, signed or not.
    Integer(Number),
    /// Any other number (a finite `f64`).
    Float(Number),
    /// Everything else, and everything in quotes.
    Text(&'a str),
}

/// What a text would be without quotes.
pub fn resolve_plain(value: &str) -> Resolved<'_> {
    resolve(value, ScalarStyle::Plain)
}

/// Resolves a scalar; only plain ones can be anything but text.
pub(crate) fn resolve(value: &str, style: ScalarStyle) -> Resolved<'_> {
    if style != ScalarStyle::Plain {
        return Resolved::Text(value);
    }
    match value {
        "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "true" | "True" | "TRUE" => Resolved::Boolean(true),
        "false" | "False" | "FALSE" => Resolved::Boolean(false),
        _ => resolve_number(value).unwrap_or(Resolved::Text(value)),
    }
}

fn resolve_number(value: &str) -> Option<Resolved<'static>> {
    if !value.starts_with(['+', '-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        return None;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = value.strip_prefix(prefix) {
            if !digits.chars().all(|digit| digit.is_digit(radix)) {
                return None;
            }
            return u64::from_str_radix(digits, radix).ok().map(|number| Resolved::Integer(number.into()));
        }
    }
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return resolve_decimal_integer(value);
    }
    if !is_float(unsigned) {
        return None;
    }
    let number = value.parse::<f64>().ok()?;
    Number::from_f64(number).map(Resolved::Float)
}

fn resolve_decimal_integer(value: &str) -> Option<Resolved<'static>> {
    let digits = value.strip_prefix('+').unwrap_or(value);
    if let Ok(number) = digits.parse::<i64>() {
        return Some(Resolved::Integer(number.into()));
    }
    if let Ok(number) = digits.parse::<u64>() {
        return Some(Resolved::Integer(number.into()));
    }
    // Beyond 64 bits the value is still a number; its last digits are not kept.
    Number::from_f64(digits.parse::<f64>().ok()?).map(Resolved::Float)
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (mantissa, ""),
    };
    let exponent_is_right = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_is_right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema() {
        let kind = |value| match resolve(value, ScalarStyle::Plain) {
            Resolved::Null => "null".to_owned(),
            Resolved::Boolean(value) => value.to_string(),
            Resolved::Integer(number) => format!("integer {number}"),
            Resolved::Float(number) => format!("float {number}"),
            Resolved::Text(_) => "text".to_owned(),
        };
        for (value, expected) in [
            ("", "null"),
            ("~", "null"),
            ("null", "null"),
            ("nUll", "text"),
            ("true", "true"),
            ("FALSE", "false"),
            ("tRue", "text"),
            ("on", "text"),
            ("yes", "text"),
            ("No", "text"),
            ("0", "integer 0"),
            ("-12", "integer -12"),
            ("+12", "integer 12"),
            ("007", "integer 7"),
            ("0o17", "integer 15"),
            ("0xFf", "integer 255"),
            ("0xg", "text"),
            ("0x", "text"),
            ("-0x1", "text"),
            ("18446744073709551615", "integer 18446744073709551615"),
            ("18446744073709551616", "float 1.8446744073709552e+19"),
            ("1.", "float 1.0"),
            (".5", "float 0.5"),
            ("-1.5e3", "float -1500.0"),
            ("1e400", "text"),
            (".", "text"),
            ("-", "text"),
            ("1e", "text"),
            ("1_000", "text"),
            (".inf", "text"),
            (".nan", "text"),
            ("1.2.3", "text"),
            ("2024-01-01", "text"),
            ("12:30", "text"),
        ] {
            assert_eq!(kind(value), expected, "{value:?}");
        }
        assert_eq!(resolve("1", ScalarStyle::DoubleQuoted), Resolved::Text("1"));
    }
}
