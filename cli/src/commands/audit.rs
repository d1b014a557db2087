//! `audit`: checks and prints the audit log of a database.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use flowctl_app::audit::{
    Compared, Discrepancy, Expected, Head, Sealed, Verified, compare_reference, discrepancies, entries, verify,
    verify_expecting,
};
use flowctl_app::server::existing;
use flowctl_app::settings::Settings;
use flowctl_app::store::Store;
use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use serde_json::Value;

use crate::arguments::{AuditArguments, AuditCommand, AuditFormat};
use crate::exit::Exit;
use crate::format::plural;
use crate::words;

/// Checks or exports.
pub fn run(arguments: &AuditArguments) -> anyhow::Result<Exit> {
    let (settings, _) = Settings::load(arguments.config.as_deref(), std::env::vars())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tenant = arguments.tenant.clone().map(TenantId);
    runtime.block_on(async {
        let Some(store) = existing(&settings).await? else {
            bail!("there is no database: `serve` with the same settings makes it");
        };
        let done = match &arguments.command {
            AuditCommand::Verify { reference: Some(_), .. } if tenant.is_some() => {
                bail!("--ref goes by what the clone holds, which says whose log that is: leave --tenant out");
            }
            AuditCommand::Verify { reference: Some(reference), clone, .. } => {
                held_against(&*store, clone, reference).await
            }
            AuditCommand::Verify { expect, .. } => checked(&*store, tenant, expect.clone()).await,
            AuditCommand::Export { format, since, until } => {
                let span = Span { since: moment(since.as_deref())?, until: moment(until.as_deref())? };
                known(&*store, tenant.as_ref()).await?;
                let mut out = std::io::stdout().lock();
                if *format == AuditFormat::Csv {
                    writeln!(out, "{CSV_HEAD}")?;
                }
                let mut written = Ok(());
                let read = entries(&*store, tenant, |entry| {
                    if written.is_ok() {
                        written = print(entry, *format, &span);
                    }
                });
                read.await?;
                written.map(|()| Exit::Done)
            }
        };
        store.close().await;
        done
    })
}

/// Checks the chains, and holds them against what executions know.
async fn checked(store: &dyn Store, tenant: Option<TenantId>, expect: Option<Expected>) -> anyhow::Result<Exit> {
    let differs = discrepancies(store, tenant.clone()).await?;
    // A chain of which nothing is left is a finding where something is known of it, and otherwise a misspelt name.
    if expect.is_none() && differs.is_empty() {
        known(store, tenant.as_ref()).await?;
    }
    let found = match (expect, tenant) {
        (None, tenant) => verify(store, tenant).await?,
        (Some(expected), Some(tenant)) => vec![verify_expecting(store, tenant, expected).await?],
        (Some(_), None) => bail!("`--expect` names an entry of one chain: say whose with `--tenant NAME`"),
    };
    told(&found, &differs)
}

/// Refuses a tenant of whom the log has no entry: nothing would be looked at, and all would seem well.
async fn known(store: &dyn Store, tenant: Option<&TenantId>) -> anyhow::Result<()> {
    let Some(tenant) = tenant else { return Ok(()) };
    let tenants = store.audited_tenants().await?;
    if tenants.contains(tenant) {
        return Ok(());
    }
    bail!("{}", words::unknown("tenant", tenant.as_str(), tenants.iter().map(TenantId::as_str)))
}

/// Holds what stands in a reference of a clone against the log.
async fn held_against(store: &dyn Store, clone: &Path, reference: &str) -> anyhow::Result<Exit> {
    let Compared { commit, entries, last, pending, faults } = compare_reference(store, clone, reference).await?;
    let mut text = String::new();
    for fault in &faults {
        writeln!(text, "{fault}")?;
    }
    let count = plural(usize::try_from(entries)?, "entry", "entries");
    let last: Vec<String> = last.iter().map(|(tenant, seq)| format!("entry {seq} of {tenant}")).collect();
    let last = if last.is_empty() { "nothing".to_owned() } else { last.join(", ") };
    writeln!(text, "{reference} at {commit}: {count} as in the log, up to {last}")?;
    if pending > 0 {
        let pending = plural(usize::try_from(pending)?, "entry", "entries");
        writeln!(text, "{pending} of the log behind that are not in this clone")?;
    }
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if faults.is_empty() { Exit::Done } else { Exit::Findings })
}

/// Discrepancies that are named at most.
const NAMED: usize = 20;

/// What was found, a line a tenant, and where the logs and what they tell of differ.
fn told(found: &[Verified], differs: &[Discrepancy]) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut text = String::new();
    for Verified { tenant, outcome } in found {
        match outcome {
            Ok(Head { seq, hash }) => {
                let count = plural(usize::try_from(*seq)?, "entry", "entries");
                writeln!(text, "{}: {count}, the last one with digest {hash}", tenant.as_str())?;
            }
            Err(broken) => {
                exit = Exit::Findings;
                writeln!(text, "{broken}")?;
            }
        }
    }
    if found.is_empty() {
        text.push_str("the audit log is empty\n");
    }
    for discrepancy in differs.iter().take(NAMED) {
        writeln!(text, "{discrepancy}")?;
    }
    if differs.len() > NAMED {
        writeln!(text, "and {} more of the kind", differs.len() - NAMED)?;
    }
    if !differs.is_empty() {
        exit = Exit::Findings;
    }
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(exit)
}

/// Which entries are wanted.
struct Span {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Span {
    fn holds(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// A moment, or the beginning of a day in UTC.
fn moment(text: Option<&str>) -> anyhow::Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(moment) = text.parse() {
        return Ok(Some(moment));
    }
    let day: jiff::civil::Date =
        text.parse().with_context(|| format!("`{text}` is no moment such as 2026-03-01 or 2026-03-01T09:00:00Z"))?;
    Ok(Some(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp()))
}

const CSV_HEAD: &str = "tenant,seq,at,type,actor,repository,process,execution,step,data,hash";

fn print(entry: &Sealed, format: AuditFormat, span: &Span) -> anyhow::Result<()> {
    let said: Value = serde_json::from_str(&entry.line).with_context(|| format!("entry {} is no JSON", entry.seq))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let at: Timestamp = text(&said["at"]).parse().with_context(|| format!("entry {} has no moment", entry.seq))?;
    if !span.holds(at) {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    if format == AuditFormat::Jsonl {
        return Ok(writeln!(out, "{}", entry.line)?);
    }
    let fields = [
        text(&said["tenant"]),
        entry.seq.to_string(),
        text(&said["at"]),
        text(&said["type"]),
        text(&said["actor"]["login"]),
        text(&said["repository"]),
        text(&said["process"]),
        text(&said["execution"]),
        text(&said["step"]),
        said["data"].to_string(),
        entry.hash.clone(),
    ];
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    Ok(writeln!(out, "{}", fields.join(","))?)
}

/// A field of CSV (RFC 4180, section 2). What a spreadsheet would take for a formula is a text.
fn quoted(field: &str) -> String {
    let field = if field.starts_with(['=', '+', '-', '@']) { format!("'{field}") } else { field.to_owned() };
    if field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}
