//! Who owns what a change touches: its paths, gathered by who their owners are. Part of what is asked, so that everybody can
//! read who is needed for what.

use serde::{Deserialize, Serialize};

use super::{CodeOwners, Owner};

/// Paths that are named of each group; the others are counted.
const NAMED: usize = 10;

/// Who owns what a change touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owned {
    /// Changed paths with the same owners, in the order of the first path of each.
    pub groups: Vec<OwnedPaths>,
    /// Changed paths that nobody owns.
    #[serde(default)]
    pub unowned: u32,
}

/// Changed paths with the same owners.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnedPaths {
    /// The owners, as they are written.
    pub owners: Vec<Owner>,
    /// The first paths of them.
    pub paths: Vec<String>,
    /// How many there are.
    pub count: u32,
}

impl Owned {
    /// Who owns these paths.
    pub fn of<'p>(owners: &CodeOwners, paths: impl IntoIterator<Item = &'p str>) -> Self {
        let mut owned = Self::default();
        for path in paths {
            let of_path = owners.owners_of(path);
            if of_path.is_empty() {
                owned.unowned += 1;
                continue;
            }
            let same = owned.groups.iter_mut().find(|group| group.owners == of_path);
            let group = match same {
                Some(group) => group,
                None => {
                    owned.groups.push(OwnedPaths { owners: of_path.to_vec(), paths: Vec::new(), count: 0 });
                    let Some(last) = owned.groups.last_mut() else { continue };
                    last
                }
            };
            group.count += 1;
            if group.paths.len() < NAMED {
                group.paths.push(path.to_owned());
            }
        }
        owned
    }

    /// Every owner once, in the order in which they come.
    pub fn owners(&self) -> Vec<&Owner> {
        let mut owners: Vec<&Owner> = Vec::new();
        for owner in self.groups.iter().flat_map(|group| &group.owners) {
            if !owners.iter().any(|known| known.is(owner)) {
                owners.push(owner);
            }
        }
        owners
    }

    /// Whether nobody owns anything of it. Then whoever may write counts: a question that nobody can answer, or that
    /// answers itself, would be worse.
    pub fn is_nobodys(&self) -> bool {
        self.groups.is_empty()
    }
}

impl OwnedPaths {
    /// Whether one of these is an owner.
    pub fn is_owned_by(&self, owners: &[Owner]) -> bool {
        self.owners.iter().any(|owner| owners.iter().any(|other| other.is(owner)))
    }
}
