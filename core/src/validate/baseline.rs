//! Findings that were there before: a file that lists them, so that only new ones are told. Matched by path, code and
//! fingerprint, never by line. Pure; whoever calls it reads and writes the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::finding::Finding;

/// The version of the file's form.
const VERSION: u32 = 1;

/// Findings that are known. As JSON: sorted, one finding an entry, so that a change to it can be reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    version: u32,
    findings: Vec<Known>,
}

/// One known finding. The message is for people alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The file, relative to the folder of the baseline.
    pub path: String,
    /// The rule's code.
    pub code: String,
    /// See [`super::fingerprints`].
    pub fingerprint: String,
    /// What was said of it then.
    #[serde(default)]
    pub message: String,
}

/// Why a file is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is no JSON, or JSON of another form.
    #[error("it is no baseline: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A later program wrote it.
    #[error("it is a baseline of version {0}, and this program reads version 1")]
    Version(u32),
}

/// Findings, told apart by a baseline.
#[derive(Debug)]
pub struct Compared<T> {
    /// Those that are not in it.
    pub new: Vec<T>,
    /// How many are in it.
    pub known: usize,
    /// What is in it and was not found any more.
    pub gone: Vec<Known>,
}

impl Baseline {
    /// A baseline of these entries.
    pub fn of(findings: impl IntoIterator<Item = Known>) -> Self {
        let mut findings: Vec<Known> = findings.into_iter().collect();
        findings.sort();
        Self { version: VERSION, findings }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Where it is no baseline, or of a later version.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self = serde_json::from_str(text)?;
        if baseline.version == VERSION { Ok(baseline) } else { Err(BaselineError::Version(baseline.version)) }
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        #[expect(clippy::expect_used, reason = "texts and numbers are always JSON")]
        let text = serde_json::to_string_pretty(self).expect("a baseline is JSON");
        text + "\n"
    }

    /// How many findings are known.
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Tells findings apart: `entry` says what each would be in a baseline. Each entry stands for one finding.
    pub fn compare<T>(&self, findings: Vec<T>, entry: impl Fn(&T) -> Known) -> Compared<T> {
        let key = |known: &Known| (known.path.clone(), known.code.clone(), known.fingerprint.clone());
        let mut open: BTreeMap<_, Vec<&Known>> = BTreeMap::new();
        for known in &self.findings {
            open.entry(key(known)).or_default().push(known);
        }
        let mut compared = Compared { new: Vec::new(), known: 0, gone: Vec::new() };
        for finding in findings {
            match open.get_mut(&key(&entry(&finding))).and_then(Vec::pop) {
                Some(_) => compared.known += 1,
                None => compared.new.push(finding),
            }
        }
        compared.gone = open.into_values().flatten().cloned().collect();
        compared
    }
}

impl Known {
    /// The entry of a finding.
    pub fn of(finding: &Finding, path: String, fingerprint: &str) -> Self {
        Self {
            path,
            code: finding.code.to_owned(),
            fingerprint: fingerprint.to_owned(),
            message: finding.message.clone(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn known(path: &str, fingerprint: &str) -> Known {
        let of = |text: &str| text.to_owned();
        Known { path: of(path), code: of("FLOW012"), fingerprint: of(fingerprint), message: of("what was said") }
    }

    #[test]
    fn a_baseline_is_sorted_and_read_again() {
        let baseline = Baseline::of([known("b", "1"), known("a", "2"), known("a", "1")]);
        insta::assert_snapshot!(baseline.to_text().lines().take(15).collect::<Vec<_>>().join("\n"), @r#"
        {
          "version": 1,
          "findings": [
            {
              "path": "a",
              "code": "FLOW012",
              "fingerprint": "1",
              "message": "what was said"
            },
            {
              "path": "a",
              "code": "FLOW012",
              "fingerprint": "2",
              "message": "what was said"
            },
        "#);
        assert_eq!(Baseline::parse(&baseline.to_text()).unwrap(), baseline);
    }

    #[test]
    fn an_entry_stands_for_one_finding_whatever_it_said() {
        let baseline = Baseline::of([known("a", "1"), known("a", "2"), known("b", "1")]);
        let again = Known { message: "said otherwise".to_owned(), ..known("a", "1") };
        let found = vec![again, known("a", "1"), known("c", "1")];
        let compared = baseline.compare(found, Clone::clone);
        assert_eq!((compared.new, compared.known), (vec![known("a", "1"), known("c", "1")], 1));
        assert_eq!(compared.gone, [known("a", "2"), known("b", "1")]);
    }

    #[test]
    fn what_is_no_baseline_says_so() {
        for (text, said) in [
            ("", "it is no baseline: EOF while parsing a value at line 1 column 0"),
            ("{\"version\": 2, \"findings\": []}", "it is a baseline of version 2, and this program reads version 1"),
        ] {
            assert_eq!(Baseline::parse(text).unwrap_err().to_string(), said);
        }
    }
}
