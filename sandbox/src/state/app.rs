//! The GitHub App, where it is installed, and the tokens it was given.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Id, World};

/// A GitHub App as its owner registered it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    /// The App's id, the `iss` of its tokens.
    pub id: Id,
    /// Its name in URLs and in its bot's login.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Its client id, which `iss` may hold instead of the id.
    pub client_id: String,
    /// The account that owns it.
    pub owner: Id,
    /// The account under which it speaks.
    pub bot: Id,
    /// Its RSA key, PKCS#8 PEM; GitHub shows it once, the sandbox keeps it for those it starts.
    pub private_key_pem: String,
    /// The public half that tokens are checked against, SPKI PEM.
    pub public_key_pem: String,
    /// The secret that signs webhooks.
    pub webhook_secret: String,
    /// Where webhooks go; without it there are none.
    pub webhook_url: Option<String>,
    /// Permissions it asks for, such as `checks` → `write`.
    pub permissions: BTreeMap<String, String>,
    /// Events it subscribes to.
    pub events: Vec<String>,
    /// Since when it exists.
    pub created_at: Timestamp,
}

/// Which repositories of an account an installation covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selection {
    /// All, also later ones.
    All,
    /// These only.
    Selected(BTreeSet<Id>),
}

/// The App in one account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Installation {
    /// Its number.
    pub id: Id,
    /// The account that installed it.
    pub account: Id,
    /// What it covers.
    pub selection: Selection,
    /// What it may do there.
    pub permissions: BTreeMap<String, String>,
    /// What it hears of.
    pub events: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was suspended and by whom.
    pub suspended: Option<(Timestamp, Id)>,
}

/// An App that is being registered: its code was given to a browser, and nobody has asked for it yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registration {
    /// The App; it gets its id once it is asked for.
    pub app: App,
    /// Until when the code holds.
    pub expires_at: Timestamp,
}

/// Whom a token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenOwner {
    /// An installation of the App.
    Installation(Id),
    /// A person.
    Person(Id),
}

/// A bearer token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    /// Whom it stands for.
    pub owner: TokenOwner,
    /// When it ends; people's tokens do not.
    pub expires_at: Option<Timestamp>,
    /// Permissions, never more than the installation's.
    pub permissions: BTreeMap<String, String>,
    /// The repositories it was narrowed to.
    pub repositories: Option<BTreeSet<Id>>,
}

impl Installation {
    /// Whether it covers this repository of this owner.
    pub fn covers(&self, owner: Id, repository: Id) -> bool {
        self.account == owner
            && match &self.selection {
                Selection::All => true,
                Selection::Selected(chosen) => chosen.contains(&repository),
            }
    }
}

impl World {
    /// The installation that covers a repository, suspended or not.
    pub fn installation_of(&self, repository: Id) -> Option<&Installation> {
        let owner = self.repositories.get(&repository)?.owner;
        self.installations.values().find(|installation| installation.covers(owner, repository))
    }

    /// The repositories that an installation covers.
    pub fn covered_by(&self, installation: Id) -> Vec<Id> {
        let Some(installation) = self.installations.get(&installation) else { return Vec::new() };
        let covered =
            self.repositories.values().filter(|repository| installation.covers(repository.owner, repository.id));
        covered.map(|repository| repository.id).collect()
    }
}
