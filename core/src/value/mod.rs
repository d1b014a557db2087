//! Small values with a form of their own: each refuses what is malformed, says where, and prints back what it read.

mod cron;
mod duration;
mod error;
mod glob;
mod login;
mod moment;
mod money;
mod name;
mod prices;
mod text;
mod version;
pub mod visible;

pub use cron::{Cron, TimeZoneName};
pub use duration::Duration;
pub use error::ValueError;
pub use glob::{Glob, any_matches};
pub use login::Login;
pub use moment::moment;
pub use money::Money;
pub use name::{Slug, StepId};
pub use prices::{Price, Prices, PricesError};
pub(crate) use text::read_text;
pub use version::Version;

/// Gives a value that is written as a text its serde and JSON-Schema forms, from `FromStr` and `Display`.
/// Names what it is, the pattern that editors check it with, and what a reader of the schema should know.
macro_rules! written_as_text {
    ($name:ident, $what:literal, $pattern:literal, $description:literal, $first:literal $(, $example:literal)*) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let expected = concat!($what, " such as `", $first, "`");
                crate::value::read_text(deserializer, expected, |text| text.parse())
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    (crate::source::Schema::DECODED): true,
                    "description": $description,
                    "examples": [$first $(, $example)*]
                })
            }
        }
    };
}
use written_as_text;

#[cfg(test)]
mod tests;
