//! Small values with a form of their own: each refuses what is malformed, says where, and prints back what it read.

mod cron;
mod duration;
mod error;
mod glob;
mod login;
mod money;
mod name;
mod version;

pub use cron::{Cron, TimeZoneName};
pub use duration::Duration;
pub use error::ValueError;
pub use glob::{Glob, any_matches};
pub use login::Login;
pub use money::Money;
pub use name::{Slug, StepId};
pub use version::Version;

/// Gives a value that is written as a text its serde and JSON-Schema forms, from `FromStr` and `Display`.
macro_rules! written_as_text {
    ($name:ident, $description:literal, $($example:literal),+) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
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
                    "type": "string", "description": $description, "examples": [$($example),+]
                })
            }
        }
    };
}
use written_as_text;

#[cfg(test)]
mod tests;
