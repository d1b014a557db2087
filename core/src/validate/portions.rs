//! Validates files a portion at a time, so that what is worked out about one process is gone before the next is read:
//! memory holds the texts and a few processes, and a file is judged while it is warm. Finds exactly what [`validate`]
//! finds in all of them at once.
//!
//! What is alone is judged in portions: a process that names no other, that no other and no test names, and whose name
//! is its own. It is looked at beside the files that any process may name (settings, agents, tools, policies, prompts,
//! schemas). Everything else is judged together. Who names whom is known for certain only after reading; a glance at the
//! texts guesses it before, and what the glance missed is read a second time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::finding::Finding;
use super::rules::unknown_file;
use super::{Options, Report, judge};
use crate::definition::Process;
use crate::definition::repository::{Definition, File, FileKind, Form, Repository, stem};
use crate::definition::step::StepKind;
use crate::definition::trigger::Trigger;

/// How many processes are judged at once, at least.
const PORTION: usize = 16;
/// How many for each file that is looked at beside every portion: what those cost again stays a part of the whole.
const PER_SHARED: usize = 4;
/// In how many bytes behind `process:` it is looked for which one is meant.
const GLANCE: usize = 100;

/// What is known of files that are judged in another portion.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    /// The names of processes.
    pub(crate) names: BTreeSet<String>,
    /// The files that they name, by kind and name.
    pub(crate) used: BTreeSet<(FileKind, String)>,
    /// Whether one of them has faults, so that it may name anything.
    pub(crate) is_faulty: bool,
}

/// The texts of files by path, and what lies beside them and is no file.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'t> {
    /// The files below `.flow/` by path from the repository's root.
    pub files: &'t BTreeMap<String, Vec<u8>>,
    /// Links and folders in the place of files.
    pub irregular: &'t BTreeMap<String, Form>,
}

impl Texts<'_> {
    /// One file, read.
    pub fn read(&self, path: &str) -> Option<File> {
        match self.irregular.get(path) {
            Some(form) => Some(File::irregular(path, *form)),
            None => self.files.get(path).map(|bytes| File::read_bytes(path, bytes)),
        }
    }

    /// All of them, read.
    pub fn repository(&self) -> Repository {
        let mut repository = Repository::read_bytes(self.files);
        self.irregular.iter().for_each(|(path, form)| repository.insert(File::irregular(path, *form)));
        repository
    }
}

/// Looks at files with every rule, as [`validate`] does, without holding all that is known about all of them at once.
///
/// [`validate`]: super::validate
pub fn validate_texts(texts: Texts<'_>, options: &Options<'_>) -> Report {
    let shared = shared(texts);
    let processes = || texts.files.keys().filter(|path| is_process(path, texts));
    let count = texts.files.len() + texts.irregular.keys().filter(|path| !texts.files.contains_key(*path)).count();
    if processes().count() <= PORTION || shared.values().any(|file| speaks_of_processes(file)) {
        return super::validate(&texts.repository(), options);
    }
    let size = PORTION.max(PER_SHARED * shared.len());
    let glance = Glance::at(texts);
    let (together, alone): (Vec<&String>, Vec<&String>) = processes().partition(|path| glance.is_together(path));
    let mut rest = Rest::new(texts, &shared);
    rest.add(together);
    let portion = |paths: &[&String]| Portion::look(texts, &shared, paths, options);
    let mut portions: Vec<Portion> = alone.par_chunks(size).map(portion).collect();
    let joining = joining(&portions, &rest);
    rest.add(joining.iter().collect());
    let elsewhere = elsewhere(&portions, &joining);
    let mut findings = judge(&rest.repository, options, &elsewhere, true);
    for portion in &mut portions {
        let found = std::mem::take(&mut portion.findings);
        findings.extend(found.into_iter().filter(|finding| !joining.contains(&finding.path)));
    }
    super::tidy(&mut findings);
    Report::new(count, findings)
}

/// Whether a process is expected at a path; what is no file lies with what is shared.
fn is_process(path: &str, texts: Texts<'_>) -> bool {
    FileKind::of(path) == FileKind::Process && !texts.irregular.contains_key(path)
}

/// The files that any process may name, read.
fn shared(texts: Texts<'_>) -> BTreeMap<Arc<str>, Arc<File>> {
    let mut paths: BTreeSet<&str> = texts.irregular.keys().map(String::as_str).collect();
    let others = |path: &&str| !matches!(FileKind::of(path), FileKind::Process | FileKind::Test);
    paths.extend(texts.files.keys().map(String::as_str).filter(others));
    let paths: Vec<&str> = paths.into_iter().collect();
    let read = |path: &&str| Some((Arc::from(*path), Arc::new(texts.read(path)?)));
    let read: Vec<_> = paths.par_iter().filter_map(read).collect();
    read.into_iter().collect()
}

/// Whether what is found in a file that is shared depends on the processes that there are.
pub(super) fn speaks_of_processes(file: &File) -> bool {
    match &file.definition {
        Some(Definition::Policy(policy)) => !policy.guarantees.is_empty(),
        // Which guarantees of theirs it goes past is said there.
        Some(Definition::Settings(settings)) => settings.override_word().is_some(),
        _ => false,
    }
}

/// What texts seem to say, before anything is read.
struct Glance<'t> {
    /// What stands behind `process:`, anywhere.
    named: BTreeSet<&'t str>,
    /// The files in which it stands.
    naming: BTreeSet<&'t str>,
    /// What stands behind `name:` at the start of a line, and how often.
    names: BTreeMap<&'t str, usize>,
    /// The same by file.
    by_path: BTreeMap<&'t str, &'t str>,
}

impl<'t> Glance<'t> {
    fn at(texts: Texts<'t>) -> Self {
        let (named, naming) = (BTreeSet::new(), BTreeSet::new());
        let mut glance = Self { named, naming, names: BTreeMap::new(), by_path: BTreeMap::new() };
        for (path, bytes) in texts.files {
            let kind = FileKind::of(path);
            if !matches!(kind, FileKind::Process | FileKind::Test) {
                continue;
            }
            let text = str::from_utf8(bytes).unwrap_or_default();
            let mut rest = text;
            while let Some((_, behind)) = rest.split_once("process:") {
                let near = &behind[..behind.floor_char_boundary(GLANCE)];
                glance.named.extend(words(near));
                glance.naming.insert(path);
                rest = behind;
            }
            if kind == FileKind::Process {
                let written =
                    text.lines().find_map(|line| line.strip_prefix("name:")).and_then(|name| words(name).next());
                let name = written.unwrap_or_else(|| stem(path));
                glance.by_path.insert(path, name);
                *glance.names.entry(name).or_default() += 1;
            }
        }
        glance
    }

    fn is_together(&self, path: &str) -> bool {
        let name = self.by_path.get(path).copied().unwrap_or_default();
        self.naming.contains(path) || self.named.contains(name) || self.names.get(name).is_some_and(|count| *count > 1)
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_alphanumeric() || letter == '-' || letter == '_')).filter(|it| !it.is_empty())
}

/// What other files need to know of a process.
pub(super) struct Outline {
    /// Where its file is.
    pub(super) path: String,
    /// Its name.
    pub(super) name: String,
    /// The names of the processes that it names.
    pub(super) calls: BTreeSet<String>,
}

impl Outline {
    pub(super) fn of(file: &File) -> Self {
        let path = file.source.path().to_owned();
        let (name, calls) = match &file.definition {
            Some(Definition::Process(process)) if !process.header.name.is_unread() => {
                (process.header.name.as_str().to_owned(), calls(process))
            }
            Some(Definition::Process(process)) => (stem(&path).to_owned(), calls(process)),
            _ => (stem(&path).to_owned(), BTreeSet::new()),
        };
        Self { path, name, calls }
    }
}

/// The processes that a process names.
fn calls(process: &Process) -> BTreeSet<String> {
    let steps = process.all_steps().filter_map(|step| match &step.kind {
        StepKind::Process(call) => Some(call.process.as_str().to_owned()),
        _ => None,
    });
    let triggers = process.header.triggers.iter().flatten().filter_map(|trigger| match &trigger.value {
        Trigger::Process(other) => Some(other.name.as_str().to_owned()),
        _ => None,
    });
    steps.chain(triggers).collect()
}

/// What looking at one portion gave.
struct Portion {
    findings: Vec<Finding>,
    outlines: Vec<Outline>,
    elsewhere: Elsewhere,
}

impl Portion {
    fn look(
        texts: Texts<'_>,
        shared: &BTreeMap<Arc<str>, Arc<File>>,
        paths: &[&String],
        options: &Options<'_>,
    ) -> Self {
        let mut repository = Repository { files: shared.clone() };
        paths.iter().filter_map(|path| texts.read(path)).for_each(|file| repository.insert(file));
        let own = |path: &str| !shared.contains_key(path);
        let mut elsewhere = Elsewhere::default();
        let mut outlines = Vec::new();
        for (_, file) in repository.files.iter().filter(|(path, _)| own(path)) {
            elsewhere.is_faulty |= !file.faults.is_empty() || !file.structure.is_empty();
            let used = unknown_file::references(file).into_iter();
            elsewhere.used.extend(used.map(|reference| (reference.kind, reference.name.to_owned())));
            outlines.push(Outline::of(file));
        }
        let mut findings = judge(&repository, options, &Elsewhere::default(), false);
        findings.retain(|finding| own(&finding.path));
        Self { findings, outlines, elsewhere }
    }
}

/// What is judged together.
struct Rest<'t> {
    texts: Texts<'t>,
    repository: Repository,
    /// The names of the processes, and those that they and the tests name.
    names: BTreeSet<String>,
}

impl<'t> Rest<'t> {
    /// The shared files and the tests.
    fn new(texts: Texts<'t>, shared: &BTreeMap<Arc<str>, Arc<File>>) -> Self {
        let mut rest = Self { texts, repository: Repository { files: shared.clone() }, names: BTreeSet::new() };
        let regular = |path: &&String| !texts.irregular.contains_key(*path);
        rest.add(texts.files.keys().filter(regular).filter(|path| FileKind::of(path) == FileKind::Test).collect());
        rest
    }

    fn add<P: AsRef<str> + Sync>(&mut self, paths: Vec<P>) {
        let files: Vec<File> = paths.par_iter().filter_map(|path| self.texts.read(path.as_ref())).collect();
        for file in files {
            match &file.definition {
                Some(Definition::Test(test)) => drop(self.names.insert(test.process.as_str().to_owned())),
                _ if file.kind == FileKind::Test => {}
                _ => {
                    let Outline { name, calls, .. } = Outline::of(&file);
                    self.names.insert(name);
                    self.names.extend(calls);
                }
            }
            self.repository.insert(file);
        }
    }
}

/// Those of the portions that are not alone after all: they name a process, one of the others names them, or another
/// one is called so too.
fn joining(portions: &[Portion], rest: &Rest<'_>) -> BTreeSet<String> {
    let outlines = || portions.iter().flat_map(|portion| &portion.outlines);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut named: BTreeSet<&str> = rest.names.iter().map(String::as_str).collect();
    for outline in outlines() {
        *counts.entry(&outline.name).or_default() += 1;
        named.extend(outline.calls.iter().map(String::as_str));
    }
    let joins = |outline: &&Outline| {
        let name = outline.name.as_str();
        !outline.calls.is_empty() || named.contains(name) || counts.get(name).is_some_and(|count| *count > 1)
    };
    outlines().filter(joins).map(|outline| outline.path.clone()).collect()
}

/// What those that stay alone are to the rest.
fn elsewhere(portions: &[Portion], joining: &BTreeSet<String>) -> Elsewhere {
    let mut all = Elsewhere::default();
    for portion in portions {
        let stays = portion.outlines.iter().filter(|outline| !joining.contains(&outline.path));
        for outline in stays {
            // That the two differ is told once, and not at each that means the file.
            all.names.extend([outline.name.clone(), stem(&outline.path).to_owned()]);
        }
        all.used.extend(portion.elsewhere.used.iter().cloned());
        all.is_faulty |= portion.elsewhere.is_faulty;
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::definition::repository::below_flow;
    use crate::validate::{examples, rules, validate, validate_near};

    /// The files of every rule's examples: those that stand alone as processes, and the others.
    fn pool() -> (Vec<String>, Vec<(String, String)>) {
        let (mut processes, mut others) = (Vec::new(), Vec::new());
        for example in rules::RULES.iter().flat_map(|rule| [rule.wrong, rule.right]).flat_map(examples) {
            match FileKind::of(&example.path) {
                FileKind::Process => processes.push(example.text),
                _ if example.path.contains(" -> ") || !example.path.starts_with(".flow/") => {}
                _ => others.push((example.path, example.text)),
            }
        }
        (processes, others)
    }

    fn told(report: &Report) -> Vec<String> {
        report.findings.iter().map(|finding| serde_json::to_string(finding).unwrap()).collect()
    }

    fn agree(files: &BTreeMap<String, Vec<u8>>, is_whole: bool) -> (Vec<String>, Vec<String>) {
        let irregular = BTreeMap::from([(".flow/processes/link.yaml".to_owned(), Form::Link)]);
        let texts = Texts { files, irregular: &irregular };
        let options = Options { performed_only: false, is_whole, ..Options::default() };
        (told(&validate_texts(texts, &options)), told(&validate(&texts.repository(), &options)))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        /// Names of processes meet here: each example calls its own so, and mostly they are called `hello`.
        #[test]
        fn portions_find_what_is_found_at_once(
            picked in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 20..60),
            beside in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
            is_whole in any::<bool>(),
        ) {
            let (processes, others) = pool();
            let mut files = BTreeMap::new();
            for (number, (index, renamed)) in picked.iter().enumerate() {
                let text = index.get(&processes).clone();
                let text = match text.strip_prefix("name: ") {
                    Some(rest) if *renamed => format!("name: p{number}-{rest}"),
                    _ => text,
                };
                files.insert(format!(".flow/processes/p{number}.yaml"), text.into_bytes());
            }
            for index in beside {
                let (path, text) = index.get(&others);
                prop_assert!(below_flow(path).is_some());
                files.insert(path.clone(), text.clone().into_bytes());
            }
            let (portions, whole) = agree(&files, is_whole);
            prop_assert_eq!(portions, whole);
            let repository = Repository::read_bytes(&files);
            let options = Options { performed_only: false, is_whole, ..Options::default() };
            let whole = validate(&repository, &options).findings;
            for path in files.keys() {
                let Some(near) = validate_near(&repository, path, &options) else { continue };
                let own: Vec<&Finding> = whole.iter().filter(|finding| finding.path == *path).collect();
                prop_assert_eq!(near.iter().collect::<Vec<_>>(), own);
            }
        }
    }

    #[test]
    fn what_the_glance_misses_joins_the_others() {
        let mut files = BTreeMap::new();
        for number in 0..40 {
            let text = format!("name: p{number}\nversion: 1\nsteps:\n  - {{id: a, type: set, values: {{x: 1}}}}\n");
            files.insert(format!(".flow/processes/p{number}.yaml"), text.into_bytes());
        }
        // Two are called alike, one in quotes and behind a comment; one names a process that is not there, and one
        // names another, both written so that no glance sees it.
        let mut write = |number: usize, text: &str| {
            files.insert(format!(".flow/processes/p{number}.yaml"), text.as_bytes().to_vec());
        };
        write(3, "'name': p30\nversion: 1\nsteps:\n  - {id: a, type: set, values: {x: 1}}\n");
        write(5, "name: p5\nversion: 1\nsteps:\n  - {id: a, type: process, 'process' : p31}\n");
        write(6, "name: p6\nversion: 1\nsteps:\n  - {id: a, type: process, 'process' : p32x}\n");
        write(
            31,
            "name: p31\nversion: 1\ninputs: {x: {type: string, required: true}}\nsteps:\n  - {id: a, type: set, values: {x: '{{ inputs.x }}'}}\n",
        );
        let (portions, whole) = agree(&files, true);
        assert_eq!(portions, whole);
        let told = |code: &str| portions.iter().filter(|finding| finding.contains(code)).count();
        assert_eq!((told("duplicate-process-name"), told("unknown-process")), (1, 1), "{portions:#?}");
        assert!(portions.iter().any(|finding| finding.contains("did you mean `p32`?")), "{portions:#?}");
    }

    /// Processes, each alone.
    fn alone(count: usize) -> BTreeMap<String, Vec<u8>> {
        let text =
            |number| format!("name: p{number}\nversion: 1\nsteps:\n  - {{id: a, type: set, values: {{x: 1}}}}\n");
        (0..count).map(|number| (format!(".flow/processes/p{number}.yaml"), text(number).into_bytes())).collect()
    }

    #[test]
    fn a_process_is_known_by_its_file_too() {
        let mut files = alone(40);
        let mut write = |name: &str, text: &str| {
            files.insert(format!(".flow/processes/{name}.yaml"), text.as_bytes().to_vec());
        };
        write("called", "name: otherwise\nversion: 1\nsteps:\n  - {id: a, type: set, values: {x: 1}}\n");
        write("caller", "name: caller\nversion: 1\nsteps:\n  - {id: a, type: process, process: called}\n");
        let (portions, whole) = agree(&files, true);
        assert_eq!(portions, whole);
        let told = |name: &str| portions.iter().filter(|finding| finding.contains(name)).count();
        assert_eq!((told("name-differs-from-file"), told("unknown-process")), (1, 0), "{portions:#?}");
    }

    #[test]
    fn settings_that_speak_of_what_processes_guarantee_see_them_all() {
        let mut files = alone(40);
        let guarded = "name: p7\nversion: 1\nguarantees: [{every_path_to: b, passes: a}]\nsteps:\n  - {id: a, type: human_approval, approvers: {role: write}, timeout: 1d}\n  - {id: b, type: api_call, depends_on: a, url: 'https://example.com'}\n";
        files.insert(".flow/processes/p7.yaml".to_owned(), guarded.as_bytes().to_vec());
        files.insert(".flow/flow.yaml".to_owned(), b"commands:\n  override: {role: admin}\n".to_vec());
        let (portions, whole) = agree(&files, true);
        assert_eq!(portions, whole);
        let told = portions.iter().filter(|finding| finding.contains("guarantee-overridden")).count();
        assert_eq!(told, 1, "{portions:#?}");
    }
}
