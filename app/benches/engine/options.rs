//! What is asked to be measured.

use crate::Failure;

/// What is measured, and over what.
#[derive(Debug, Clone)]
pub struct Options {
    pub database_url: Option<String>,
    pub executions: usize,
    pub steps: usize,
    pub concurrency: usize,
    /// Executions that have ended before.
    pub history: usize,
    /// Measures so many executions that wait, instead of speed.
    pub waiting: Option<usize>,
    /// Measures the restart with so many executions under way, instead of speed.
    pub restart: Option<usize>,
    /// The other side of a measurement, in a process of its own: what to do with this database.
    pub child: Option<(String, String)>,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            database_url: None,
            executions: 2_000,
            steps: 5,
            concurrency: 64,
            history: 0,
            waiting: None,
            restart: None,
            child: None,
        };
        let mut benchmarks = false;
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                benchmarks = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            match name.as_str() {
                "--database-url" => options.database_url = Some(value),
                "--executions" => options.executions = value.parse()?,
                "--steps" => options.steps = value.parse()?,
                "--concurrency" => options.concurrency = value.parse::<usize>()?.max(1),
                "--history" => options.history = value.parse()?,
                "--waiting" => options.waiting = Some(value.parse()?),
                "--restart" => options.restart = Some(value.parse()?),
                "--child-idle" => options.child = Some(("idle".to_owned(), value)),
                "--child-dies" => options.child = Some(("dies".to_owned(), value)),
                _ => {
                    return Err(format!(
                        "`{name}` is unknown; there are --database-url, --executions, --steps, --concurrency, \
                         --history, --waiting, --restart"
                    )
                    .into());
                }
            }
        }
        if !benchmarks {
            // Run as a test: only whether it runs.
            options.executions = options.executions.min(20);
        }
        if options.steps == 0 || options.executions == 0 {
            return Err("`--steps` and `--executions` must be at least 1".into());
        }
        Ok(options)
    }
}
