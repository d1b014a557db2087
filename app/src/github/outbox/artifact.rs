//! What a workflow gives its step: an artifact with one JSON file. Others made it, so nothing of it is believed: sizes
//! are counted while it is unpacked, and names are never paths.

use std::fmt;
use std::io::{Cursor, Read};

use serde_json::Value;
use zip::ZipArchive;

use super::failure::Failure;
use crate::github::client::{GitHubError, InstallationClient, RepositoryName};

/// The artifact's name.
pub(super) const NAME: &str = "flowctl-output";
/// Bytes of the archive.
const LARGEST_ARCHIVE: u64 = 4 * 1024 * 1024;
/// Bytes of the JSON text in it.
const LARGEST_TEXT: u64 = 1024 * 1024;

/// What is wrong with an artifact; completes a sentence that begins with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArtifactFault {
    /// It, or what is in it, is larger than is taken.
    TooLarge {
        /// What.
        what: &'static str,
        /// Bytes at most.
        most: u64,
    },
    /// It was deleted before it was fetched.
    Expired,
    /// It is no zip archive.
    NoArchive(String),
    /// It does not hold exactly one file.
    Files(usize),
    /// The file is no JSON.
    NoJson(String),
}

impl fmt::Display for ArtifactFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { what, most } => write!(out, "is too large: {what} may have {most} bytes at most"),
            Self::Expired => write!(out, "was deleted before it was fetched"),
            Self::NoArchive(reason) => write!(out, "cannot be unpacked: {reason}"),
            Self::Files(count) => write!(out, "must hold exactly one file, and holds {count}"),
            Self::NoJson(reason) => write!(out, "is not JSON: {reason}"),
        }
    }
}

/// What a run's artifact holds; `null` where it has none.
pub(super) async fn output(
    client: &InstallationClient,
    repository: &RepositoryName,
    run: u64,
) -> Result<Result<Value, ArtifactFault>, Failure> {
    let artifacts = client.artifacts_of_run(repository, run, NAME).await?;
    // A run that was started again has one of each attempt; the newest counts.
    let Some(artifact) = artifacts.into_iter().max_by_key(|artifact| artifact.id) else { return Ok(Ok(Value::Null)) };
    if artifact.expired {
        return Ok(Err(ArtifactFault::Expired));
    }
    if artifact.size_in_bytes > LARGEST_ARCHIVE {
        return Ok(Err(ArtifactFault::TooLarge { what: "the archive", most: LARGEST_ARCHIVE }));
    }
    match client.download_artifact(repository, artifact.id).await {
        Ok(archive) => Ok(read(&archive)),
        Err(GitHubError::Gone { .. } | GitHubError::NotFound { .. }) => Ok(Err(ArtifactFault::Expired)),
        Err(error) => Err(error.into()),
    }
}

/// The JSON of the one file in an archive.
fn read(archive: &[u8]) -> Result<Value, ArtifactFault> {
    if archive.len() as u64 > LARGEST_ARCHIVE {
        return Err(ArtifactFault::TooLarge { what: "the archive", most: LARGEST_ARCHIVE });
    }
    let broken = |error: zip::result::ZipError| ArtifactFault::NoArchive(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(broken)?;
    if archive.len() != 1 {
        return Err(ArtifactFault::Files(archive.len()));
    }
    let file = archive.by_index(0).map_err(broken)?;
    if !file.is_file() {
        return Err(ArtifactFault::Files(0));
    }
    let mut text = Vec::new();
    // What the archive says of its size may be a lie: what comes out is counted.
    let unpacked = file.take(LARGEST_TEXT + 1).read_to_end(&mut text);
    unpacked.map_err(|error| ArtifactFault::NoArchive(error.to_string()))?;
    if text.len() as u64 > LARGEST_TEXT {
        return Err(ArtifactFault::TooLarge { what: "the file in it", most: LARGEST_TEXT });
    }
    serde_json::from_slice(&text).map_err(|error| ArtifactFault::NoJson(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use std::io::Write;

    use proptest::prelude::*;
    use serde_json::json;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn one_file_with_json_is_taken_and_nothing_else_is() {
        assert_eq!(read(&archive(&[("output.json", r#"{"tag": "v1"}"#)])), Ok(json!({"tag": "v1"})));
        // A name is never a path: where it points does not matter.
        assert_eq!(read(&archive(&[("../../etc/passwd", "1")])), Ok(json!(1)));
        let packed = archive(&[("bomb.json", "0".repeat(8 * 1024 * 1024).as_str())]);
        assert!(packed.len() < 64 * 1024, "it is a bomb: {}", packed.len());
        for (archive, fault) in [
            (packed, "is too large: the file in it may have 1048576 bytes at most"),
            (archive(&[]), "must hold exactly one file, and holds 0"),
            (archive(&[("a.json", "1"), ("b.json", "2")]), "must hold exactly one file, and holds 2"),
            (archive(&[("a.json", "{")]), "is not JSON: "),
            (b"no archive".to_vec(), "cannot be unpacked: "),
            (vec![0; 5 * 1024 * 1024], "is too large: the archive may have 4194304 bytes at most"),
        ] {
            let told = read(&archive).unwrap_err().to_string();
            assert!(told.starts_with(fault), "{told}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_told_and_nothing_breaks(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..200) {
            let _ = read(&bytes);
            let mut changed = archive(&[("a.json", "{\"a\": [1, 2, 3]}")]);
            let place = at % changed.len();
            changed[place] ^= bytes.first().copied().unwrap_or(1);
            let _ = read(&changed);
        }
    }
}
