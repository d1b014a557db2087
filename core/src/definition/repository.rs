//! All definitions of a repository at one commit: every file below `.flow/`, read once, by path.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use rayon::prelude::*;
use serde_json::Value;

use super::agent::Agent;
use super::field::defaults;
use super::policy::Policy;
use super::prompt::{Prompt, PromptHeader};
use super::schema::compiled;
use super::settings::FlowSettings;
use super::step::StepKind;
use super::test::ProcessTest;
use super::tool::{self, Tool};
use super::{Approvers, Process, Step, decode, digest, slips};
use crate::execution::equipment::{EquippedAgent, EquippedTool};
use crate::execution::performable::Performable;
use crate::execution::plan::{Plan, PlanError, PromptTemplate, Resources};
use crate::source::{
    Document, Fault, NodeId, Parsed, SchemaFault, SchemaFaultKind, SourceFile, Spanned, parse, parse_shared, to_json,
};

/// Fewer files than this are worked on one after the other: waking other cores up costs more.
pub(crate) const FEW: usize = 16;

/// Every definition of a repository.
#[derive(Debug, Default, Clone)]
pub struct Repository {
    /// The files by path, relative to the repository's root. Shared, so that a repository in which one file is new costs
    /// no reading of the others.
    pub files: BTreeMap<Arc<str>, Arc<File>>,
}

/// One file.
#[derive(Debug)]
pub struct File {
    /// Its path and text.
    pub source: SourceFile,
    /// What it is by its place.
    pub kind: FileKind,
    /// What lies at its path.
    pub form: Form,
    /// Its nodes. For a prompt: those of its front matter.
    pub document: Document,
    /// What is wrong with it as text.
    pub faults: Vec<Fault>,
    /// What is wrong with its structure.
    pub structure: Vec<SchemaFault>,
    /// What it means, as far as it could be read.
    pub definition: Option<Definition>,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// A file with a text.
    #[default]
    Text,
    /// A symbolic link, which is never followed.
    Link,
    /// A folder.
    Folder,
    /// A pipe, a socket or a device, of which nothing is read.
    Device,
}

/// What a file is by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// `.flow/flow.yaml`
    Settings,
    /// `.flow/processes/*.yaml`
    Process,
    /// `.flow/agents/*.yaml`
    Agent,
    /// `.flow/tools/*.yaml`
    Tool,
    /// `.flow/policies/*.yaml`
    Policy,
    /// `.flow/prompts/*.md`
    Prompt,
    /// `.flow/tests/*.yaml`
    Test,
    /// `.flow/schemas/*.json` or `.yaml`
    Schema,
    /// Anything else below `.flow/`.
    Unknown,
}

/// What a file means.
#[derive(Debug, Clone)]
pub enum Definition {
    /// The repository's settings.
    Settings(Box<FlowSettings>),
    /// A process.
    Process(Arc<Process>),
    /// An agent.
    Agent(Box<Agent>),
    /// A tool.
    Tool(Box<Tool>),
    /// A policy.
    Policy(Box<Policy>),
    /// A prompt.
    Prompt(Box<Prompt>),
    /// Tests of a process.
    Test(Box<ProcessTest>),
    /// A JSON Schema.
    Schema(Value),
}

impl FileKind {
    /// What the file at this path is; the path is relative to the repository's root, with `/`. Paths that do not lie
    /// below a `.flow/` are processes: `flowctl validate FILE` may be given one anywhere.
    pub fn of(path: &str) -> Self {
        let Some(inside) = below_flow(path) else { return Self::Process };
        let yaml = inside.ends_with(".yaml") || inside.ends_with(".yml");
        match inside.split_once('/') {
            None if inside == "flow.yaml" || inside == "flow.yml" => Self::Settings,
            Some(("processes", _)) if yaml => Self::Process,
            Some(("agents", _)) if yaml => Self::Agent,
            Some(("tools", _)) if yaml => Self::Tool,
            Some(("policies", _)) if yaml => Self::Policy,
            Some(("tests", _)) if yaml => Self::Test,
            Some(("prompts", _)) if inside.ends_with(".md") => Self::Prompt,
            Some(("schemas", _)) if yaml || inside.ends_with(".json") => Self::Schema,
            _ => Self::Unknown,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Process => "process",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Policy => "policy",
            Self::Prompt => "prompt",
            Self::Test => "test",
            Self::Schema => "schema",
            Self::Unknown => "file",
        }
    }
}

/// The part of a path below its `.flow/`.
pub(crate) fn below_flow(path: &str) -> Option<&str> {
    path.strip_prefix(".flow/").or_else(|| path.split_once("/.flow/").map(|(_, inside)| inside))
}

/// A file's name without folders and ending.
pub fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

impl Repository {
    /// Reads files: path and text each. Never fails; what is wrong stands in the files.
    pub fn read(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let files = files.into_iter().collect();
        Self { files: each(files, |(path, text)| (Arc::from(path.as_str()), Arc::new(File::read(&path, &text)))) }
    }

    /// The same from bytes.
    pub fn read_bytes<'bytes>(files: impl IntoIterator<Item = (&'bytes String, &'bytes Vec<u8>)>) -> Self {
        let files = files.into_iter().collect();
        Self { files: each(files, |(path, bytes)| (Arc::from(path.as_str()), Arc::new(File::read_bytes(path, bytes)))) }
    }

    /// Adds a file, or takes the place of the one at its path.
    pub fn insert(&mut self, file: File) {
        self.files.insert(Arc::from(file.source.path()), Arc::new(file));
    }

    /// Every process that could be read with its name and version, by path.
    pub fn processes(&self) -> impl Iterator<Item = (&File, &Arc<Process>)> {
        self.all_processes().filter(|(_, process)| process.is_identified())
    }

    /// Every process that could be read at all, by path: also those of which nobody knows the name or the version.
    pub fn all_processes(&self) -> impl Iterator<Item = (&File, &Arc<Process>)> {
        self.files.values().filter_map(|file| match &file.definition {
            Some(Definition::Process(process)) => Some((&**file, process)),
            _ => None,
        })
    }

    /// The process with this name; the first by path where two share it.
    pub fn process(&self, name: &str) -> Option<(&File, &Arc<Process>)> {
        self.processes().find(|(_, process)| process.header.name.as_str() == name)
    }

    /// The repository's settings, where there are any.
    pub fn settings(&self) -> Option<&FlowSettings> {
        self.settings_in_file().map(|(_, settings)| settings)
    }

    /// The same with their file.
    pub fn settings_in_file(&self) -> Option<(&File, &FlowSettings)> {
        self.files.values().find_map(|file| match &file.definition {
            Some(Definition::Settings(settings)) => Some((&**file, &**settings)),
            _ => None,
        })
    }

    /// The files that a process is made of: its own, the repository's settings, and every policy, prompt, schema, tool and
    /// agent that it names, with what those name.
    pub fn files_of(&self, process: &str) -> Vec<&File> {
        let Some((own, process)) = self.process(process) else { return Vec::new() };
        let mut files = vec![own];
        files.extend(self.files.values().map(|file| &**file).filter(|file| file.kind == FileKind::Settings));
        let mut named: Vec<(FileKind, &str)> = process.all_steps().flat_map(references).collect();
        let mut next = 0;
        while let Some((kind, name)) = named.get(next).copied() {
            next += 1;
            for (path, file) in self.files.iter().filter(|(_, file)| file.kind == kind) {
                if stem(path) != name
                    && below_flow(path).and_then(|inside| inside.strip_prefix("schemas/")) != Some(name)
                {
                    continue;
                }
                files.push(file);
                let further: Vec<_> = named_by(file).into_iter().filter(|one| !named.contains(one)).collect();
                named.extend(further);
            }
        }
        files
    }

    /// What processes may refer to.
    pub fn resources(&self) -> Resources {
        let mut resources = Resources::default();
        if let Some(settings) = self.settings() {
            resources.models =
                settings.models.iter().map(|(alias, model)| (alias.value.clone(), model.value.clone())).collect();
            resources.defaults = settings.defaults.clone();
            resources.monthly_budget = settings.monthly_budget.clone();
            resources.notify = settings.notify.iter().map(|rule| rule.value.clone()).collect();
            resources.channels =
                settings.channels.iter().map(|(name, channel)| (name.value.clone(), channel.clone())).collect();
        }
        let mut policies: IndexMap<&str, &Policy> = IndexMap::new();
        for (path, file) in &self.files {
            match &file.definition {
                Some(Definition::Schema(schema)) => {
                    let name = below_flow(path).and_then(|inside| inside.strip_prefix("schemas/")).unwrap_or(path);
                    resources.schemas.insert(name.to_owned(), schema.clone());
                }
                Some(Definition::Prompt(prompt)) => {
                    let defaults = defaults(&prompt.header.variables);
                    let prompt = PromptTemplate { template: prompt.template.clone(), defaults };
                    resources.prompts.insert(stem(path).to_owned(), prompt);
                }
                Some(Definition::Policy(policy)) => {
                    policies.insert(stem(path), policy);
                }
                Some(Definition::Agent(agent)) => {
                    resources.agents.insert(stem(path).to_owned(), EquippedAgent::of(agent, &resources.models));
                }
                _ => {}
            }
        }
        // They name schemas, which are all known only now.
        for (path, file) in &self.files {
            let Some(Definition::Tool(tool)) = &file.definition else { continue };
            if let Ok(tool) = EquippedTool::of(tool, &resources.schemas) {
                resources.tools.insert(stem(path).to_owned(), tool);
            }
        }
        for name in policies.keys() {
            let mut approvers = Vec::new();
            collect_approvers(name, &policies, &mut Vec::new(), &mut approvers);
            resources.policies.insert((*name).to_owned(), approvers);
        }
        resources
    }

    /// The digest of every process, by name: what it is made of, with all that it refers to.
    pub fn digests(&self) -> BTreeMap<&str, String> {
        let resources = self.resources();
        let mut digests = BTreeMap::new();
        for (file, process) in self.processes() {
            let written = || digest::of(&to_json(&file.document, process.node), process, &resources);
            digests.entry(process.header.name.as_str()).or_insert_with(written);
        }
        digests
    }

    /// The process with this name made ready for the engine to run.
    ///
    /// # Errors
    /// Nothing where there is no such process; else where it refers to something that is not there or not performed.
    pub fn plan(&self, name: &str) -> Option<Result<Plan, PlanError>> {
        self.plan_for(name, &Performable::engine())
    }

    /// The same for whoever performs other things than the engine does: a simulation performs everything.
    ///
    /// # Errors
    /// As [`Repository::plan`].
    pub fn plan_for(&self, name: &str, performable: &Performable) -> Option<Result<Plan, PlanError>> {
        let (file, process) = self.process(name)?;
        let resources = self.resources();
        let written = to_json(&file.document, process.node);
        let digest = digest::of(&written, process, &resources);
        let mut process = (**process).clone();
        process.header.defaults = process.header.defaults.or(&resources.defaults);
        Some(Plan::build(Arc::new(process), digest, &resources, performable))
    }
}

/// Reads each file; many of them on all cores. Waking those up costs more than a few files do.
fn each<F: Send>(
    files: Vec<F>,
    read: impl Fn(F) -> (Arc<str>, Arc<File>) + Send + Sync,
) -> BTreeMap<Arc<str>, Arc<File>> {
    match files.len() {
        0..FEW => files.into_iter().map(read).collect(),
        _ => files.into_par_iter().map(read).collect::<Vec<_>>().into_iter().collect(),
    }
}

/// The files that a step names: kind and name.
fn references(step: &Step) -> Vec<(FileKind, &str)> {
    match &step.kind {
        StepKind::AiGenerate(generate) => {
            let prompt = generate.template.as_ref().map(|name| (FileKind::Prompt, name.value.as_str()));
            prompt.into_iter().chain(schema_named(&generate.output_schema)).collect()
        }
        StepKind::ApiCall(call) => {
            let schema = call.expect.as_ref().and_then(|expect| expect.schema.as_ref());
            schema.and_then(|schema| schema_named(schema)).into_iter().collect()
        }
        StepKind::McpCall(call) => {
            let schema = call.expect.as_ref().and_then(|expect| expect.schema.as_ref());
            let tool = (FileKind::Tool, call.tool.value.as_str());
            schema.and_then(|schema| schema_named(schema)).into_iter().chain([tool]).collect()
        }
        StepKind::AgentTask(task) => {
            let schema = task.output_schema.as_ref().and_then(|schema| schema_named(schema));
            let policy = task.policy.as_ref().map(|policy| (FileKind::Policy, policy.value.as_str()));
            schema.into_iter().chain(policy).chain([(FileKind::Agent, task.agent.value.as_str())]).collect()
        }
        StepKind::HumanApproval(approval) => {
            approval.policy.iter().map(|name| (FileKind::Policy, name.value.as_str())).collect()
        }
        _ => Vec::new(),
    }
}

/// The files that a file beside the processes names: kind and name.
fn named_by(file: &File) -> Vec<(FileKind, &str)> {
    match &file.definition {
        Some(Definition::Policy(policy)) => {
            policy.extends.iter().map(|policy| (FileKind::Policy, policy.value.as_str())).collect()
        }
        Some(Definition::Agent(agent)) => {
            let policy = agent.policy.as_ref().map(|policy| (FileKind::Policy, policy.value.as_str()));
            agent.tools.iter().map(|tool| (FileKind::Tool, tool.value.as_str())).chain(policy).collect()
        }
        Some(Definition::Tool(tool)) => {
            let document = tool.document.as_ref().filter(|document| tool::is_path(document));
            let document = document.map(|path| (FileKind::Schema, tool::below_schemas(path)));
            let schema = tool.input_schema.as_ref().and_then(|schema| schema_named(schema));
            document.into_iter().chain(schema).collect()
        }
        _ => Vec::new(),
    }
}

/// The file of a schema that is not written inline.
fn schema_named(schema: &Value) -> Option<(FileKind, &str)> {
    schema.as_str().map(|path| (FileKind::Schema, path))
}

/// The approvers of a policy and of all that it extends: a policy can only tighten.
fn collect_approvers<'name>(
    name: &'name str,
    policies: &IndexMap<&'name str, &'name Policy>,
    seen: &mut Vec<&'name str>,
    approvers: &mut Vec<Spanned<Approvers>>,
) {
    let Some(policy) = policies.get(name).filter(|_| !seen.contains(&name)) else { return };
    seen.push(name);
    approvers.extend(policy.approvers.clone());
    for extended in &policy.extends {
        collect_approvers(&extended.value, policies, seen, approvers);
    }
}

/// The path, without its ending, at which a process lies that is known by its text alone: a file is called as its process
/// is, and nothing is called wrong for want of a file name. Nothing where the text names no process.
pub fn own_place(bytes: &[u8]) -> Option<String> {
    let Some(Definition::Process(process)) = File::read_bytes(".flow/processes/unnamed.yaml", bytes).definition else {
        return None;
    };
    let name = &process.header.name;
    (!name.is_unread()).then(|| format!(".flow/processes/{}", name.as_str()))
}

impl File {
    /// Reads one file from its bytes. What is not UTF-8 becomes U+FFFD, which a rule points at.
    pub fn read_bytes(path: &str, bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::read(path, text),
            Err(_) => Self::read(path, &String::from_utf8_lossy(bytes)),
        }
    }

    /// Reads one file.
    pub fn read(path: &str, text: &str) -> Self {
        let kind = FileKind::of(path);
        let source = SourceFile::new(path, text);
        match kind {
            FileKind::Prompt => Self::prompt(source),
            FileKind::Unknown => Self::blank(source, kind, Form::Text),
            _ => Self::yaml(source, kind),
        }
    }

    /// What is no regular file but lies where one could be: it has no text and means nothing, and a rule says so.
    pub fn irregular(path: &str, form: Form) -> Self {
        Self::blank(SourceFile::new(path, ""), FileKind::of(path), form)
    }

    fn blank(source: SourceFile, kind: FileKind, form: Form) -> Self {
        let (faults, structure) = (Vec::new(), Vec::new());
        Self { source, kind, form, document: parse("").document, faults, structure, definition: None }
    }

    fn yaml(source: SourceFile, kind: FileKind) -> Self {
        let Parsed { mut document, faults } = parse_shared(source.shared_text());
        let mut structure = Vec::new();
        // What a broken file lacks says nothing; what it has is not trusted.
        let broken = faults.iter().any(|fault| fault.kind.ends_parsing());
        let root = document.root().filter(|_| !broken);
        let read = root.and_then(|root| {
            amended(&mut document, root, &mut structure, &|document, root, structure| {
                definition(kind, document, root, structure)
            })
        });
        slips::named_alike(&document, &source, &mut structure);
        Self { source, kind, form: Form::Text, document, faults, structure, definition: read }
    }

    /// A prompt: front matter between two lines of `---`, then the template.
    fn prompt(source: SourceFile) -> Self {
        let text = source.text();
        let (front, template_start) = front_matter(text);
        let Parsed { mut document, faults } = parse(&front);
        let mut structure = Vec::new();
        let root = document.root().filter(|_| template_start > 0);
        let header = root.and_then(|root| {
            amended(&mut document, root, &mut structure, &|document, root, structure| {
                decode::plain::<PromptHeader>(document, root, &compiled::PROMPT, structure)
            })
        });
        let header = header.unwrap_or_default();
        let faults = if template_start > 0 { faults } else { Vec::new() };
        let template = text.get(template_start..).unwrap_or_default().to_owned();
        let start = u32::try_from(template_start).unwrap_or(u32::MAX);
        let is_open = start == 0 && source.text().lines().next().is_some_and(|first| first == "---");
        let prompt = Prompt { header, template, template_start: start, is_open };
        let definition = Some(Definition::Prompt(Box::new(prompt)));
        let (kind, form) = (FileKind::Prompt, Form::Text);
        Self { source, kind, form, document, faults, structure, definition }
    }
}

/// Reads a document once, and adds what is wrong with it.
type Decoding<'d, T> = dyn Fn(&Document, NodeId, &mut Vec<SchemaFault>) -> Option<T> + 'd;

/// Reads a file as often as slips of the pen are found in it; each is told once and then taken as what was meant.
fn amended<T>(
    document: &mut Document,
    root: NodeId,
    structure: &mut Vec<SchemaFault>,
    decode: &Decoding<'_, T>,
) -> Option<T> {
    let mut read = decode(document, root, structure);
    slips::unindented(document, structure);
    let mut told: Vec<SchemaFault> = Vec::new();
    for _ in 1..slips::MAX_READINGS {
        let meant = slips::of(document, structure);
        if meant.is_empty() {
            break;
        }
        told.extend(structure.drain(..).filter(|fault| meant.contains_key(&fault.node)));
        document.amend(&meant);
        read = decode(document, root, structure);
        slips::unindented(document, structure);
        slips::of_another_type(document, &meant, structure, &mut told);
        // What a step of another type would have needed nobody knows.
        let owners = document.mappings().filter(|step| step.get("type").is_some_and(|it| meant.contains_key(&it.id())));
        let guessed: BTreeSet<NodeId> = owners.map(|step| step.id()).collect();
        structure.retain(|fault| {
            !matches!(fault.kind, SchemaFaultKind::MissingKey { .. }) || !guessed.contains(&fault.node)
        });
    }
    structure.extend(told);
    slips::instead(document, structure);
    structure.sort_by_key(|fault| fault.span);
    read
}

/// The front matter, moved nowhere: what comes before it is blank, so that spans are those of the file. And where the
/// template begins; 0 where there is no front matter.
fn front_matter(text: &str) -> (String, usize) {
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
        return (String::new(), 0);
    };
    let opened = text.len() - rest.len();
    let mut at = opened;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            let blank: String = text[..opened].chars().map(|c| if c == '-' { ' ' } else { c }).collect();
            return (blank + &text[opened..at], at + line.len());
        }
        at += line.len();
    }
    (String::new(), 0)
}

fn definition(kind: FileKind, document: &Document, root: NodeId, faults: &mut Vec<SchemaFault>) -> Option<Definition> {
    use decode::plain;
    match kind {
        FileKind::Process => {
            decode::process(document, root, faults).map(|process| Definition::Process(Arc::new(process)))
        }
        FileKind::Settings => {
            plain(document, root, &compiled::SETTINGS, faults).map(|it| Definition::Settings(Box::new(it)))
        }
        FileKind::Agent => plain(document, root, &compiled::AGENT, faults).map(|it| Definition::Agent(Box::new(it))),
        FileKind::Tool => plain(document, root, &compiled::TOOL, faults).map(|it| Definition::Tool(Box::new(it))),
        FileKind::Policy => plain(document, root, &compiled::POLICY, faults).map(|it| Definition::Policy(Box::new(it))),
        FileKind::Test => plain(document, root, &compiled::TEST, faults).map(|it| Definition::Test(Box::new(it))),
        FileKind::Schema => Some(Definition::Schema(to_json(document, root))),
        FileKind::Prompt | FileKind::Unknown => None,
    }
}
