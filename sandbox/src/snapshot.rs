//! What outlives the sandbox, in its data folder: the state in one file that is replaced as a whole,
//! and each delivery's payload in a file of its own, written once.

use std::path::{Path, PathBuf};

use crate::error::SandboxError;
use crate::state::{DeliveryNews, Id, World};

/// The data folder.
#[derive(Debug)]
pub(crate) struct Snapshot {
    state: PathBuf,
    payloads: PathBuf,
}

impl Snapshot {
    /// Uses `directory`, which is made when missing.
    pub(crate) fn open(directory: &Path) -> Result<Self, SandboxError> {
        let payloads = directory.join("deliveries");
        std::fs::create_dir_all(&payloads).map_err(SandboxError::file(&payloads))?;
        Ok(Self { state: directory.join("sandbox.json"), payloads })
    }

    fn payload(&self, id: Id) -> PathBuf {
        self.payloads.join(format!("{id}.json"))
    }

    /// Writes the state; a kill at any instant leaves the old one or the new one.
    pub(crate) fn write(&self, world: &World, news: &[DeliveryNews]) -> Result<(), SandboxError> {
        for one in news {
            match one {
                DeliveryNews::Kept(id) => {
                    let path = self.payload(*id);
                    let payload = world.deliveries.get(id).map_or("", |delivery| delivery.payload.as_str());
                    std::fs::write(&path, payload).map_err(SandboxError::file(&path))?;
                }
                // A file that is gone already is as good.
                DeliveryNews::Forgotten(id) => drop(std::fs::remove_file(self.payload(*id))),
            }
        }
        let unwritable = |error: serde_json::Error| self.unreadable(error.to_string());
        let text = serde_json::to_vec(world).map_err(unwritable)?;
        let beside = self.state.with_extension("json.new");
        std::fs::write(&beside, text).map_err(SandboxError::file(&beside))?;
        std::fs::rename(&beside, &self.state).map_err(SandboxError::file(&self.state))
    }

    /// Reads the state of an earlier run, if there was one.
    pub(crate) fn read(&self) -> Result<Option<World>, SandboxError> {
        let text = match std::fs::read(&self.state) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SandboxError::file(&self.state)(error)),
        };
        let world: Result<World, _> = serde_json::from_slice(&text);
        let mut world = world.map_err(|error| self.unreadable(error.to_string()))?;
        // Payloads are written before the state that names them: one that is missing was taken away by somebody.
        world.deliveries.retain(|id, delivery| {
            let payload = std::fs::read_to_string(self.payload(*id));
            delivery.payload = payload.unwrap_or_default();
            !delivery.payload.is_empty()
        });
        Ok(Some(world))
    }

    fn unreadable(&self, reason: String) -> SandboxError {
        SandboxError::Snapshot { path: self.state.clone(), reason }
    }
}
