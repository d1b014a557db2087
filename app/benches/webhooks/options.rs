//! What is asked to be measured.

use std::path::PathBuf;

use crate::Failure;

/// What is sent, and how.
#[derive(Debug, Clone)]
pub struct Options {
    pub database_url: Option<String>,
    /// Deliveries a second in the steady part.
    pub rate: u64,
    /// How long each part takes.
    pub seconds: u64,
    /// The size of a payload.
    pub bytes: usize,
    pub connections: usize,
    /// Published examples to be sent instead of made payloads.
    pub examples: Option<PathBuf>,
    /// The other side of a measurement, in a process of its own, with its data in this folder.
    pub child: Option<PathBuf>,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let (rate, seconds, bytes, connections) = (1_000, 15, 12_288, 64);
        let mut options = Self { database_url: None, rate, seconds, bytes, connections, examples: None, child: None };
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            match name.as_str() {
                "--database-url" => options.database_url = Some(value),
                "--rate" => options.rate = value.parse::<u64>()?.max(1),
                "--seconds" => options.seconds = value.parse::<u64>()?.max(1),
                "--bytes" => options.bytes = value.parse()?,
                "--connections" => options.connections = value.parse::<usize>()?.max(1),
                "--examples" => options.examples = Some(value.into()),
                "--child" => options.child = Some(value.into()),
                _ => {
                    let known = "--database-url, --rate, --seconds, --bytes, --connections, --examples";
                    return Err(format!("`{name}` is unknown; there are {known}").into());
                }
            }
        }
        Ok(options)
    }
}
