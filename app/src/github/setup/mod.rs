//! Setting the App up: pages that lead through GitHub's manifest flow, the table of what the App needs, and the look at
//! whether GitHub grants it. Open only while there is no App, and only to who has the code that the server told at its
//! start. Secrets are kept in files and never shown.

mod credentials;
mod examine;
mod manifest;
pub mod needs;
mod pages;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

pub use credentials::{Credentials, CredentialsError};
pub use examine::examine;
pub use manifest::{ConversionError, manifest};
pub use pages::{AppPage, app_page, pages};

use crate::clock::Clock;

/// How long GitHub keeps a code (as [`manifest`] says): a state is good for as long.
const STATE_HOLDS: SignedDuration = SignedDuration::from_hours(1);
/// States that may be under way at once; an older one is forgotten.
const MOST_STATES: usize = 16;

/// An App that is to be set up. Cheap to clone.
#[derive(Clone)]
pub struct Setup {
    inner: Arc<Inner>,
}

struct Inner {
    code: SecretString,
    public_url: Url,
    api_url: Url,
    web_url: Url,
    data: PathBuf,
    clock: Arc<dyn Clock>,
    states: Mutex<Vec<(String, Timestamp)>>,
    done: CancellationToken,
}

/// Where the parts of a setup are.
#[derive(Debug, Clone)]
pub struct SetupPlaces {
    /// This server, as GitHub and people reach it.
    pub public_url: Url,
    /// GitHub's API.
    pub api_url: Url,
    /// GitHub's pages.
    pub web_url: Url,
    /// Where credentials are kept.
    pub data: PathBuf,
}

impl Setup {
    /// A setup with a new code.
    pub fn new(places: SetupPlaces, clock: Arc<dyn Clock>) -> Self {
        let SetupPlaces { public_url, api_url, web_url, data } = places;
        let code = SecretString::from(Uuid::new_v4().simple().to_string());
        let (states, done) = (Mutex::default(), CancellationToken::new());
        Self { inner: Arc::new(Inner { code, public_url, api_url, web_url, data, clock, states, done }) }
    }

    /// The page to begin with, for whoever starts the server. It holds the code.
    pub fn address(&self) -> String {
        let base = self.inner.public_url.as_str().trim_end_matches('/');
        format!("{base}/setup?code={}", self.inner.code.expose_secret())
    }

    /// Cancelled once the App is set up: the server is to be started anew with it.
    pub fn done(&self) -> CancellationToken {
        self.inner.done.clone()
    }

    fn knows(&self, code: &str) -> bool {
        is_same(self.inner.code.expose_secret(), code)
    }

    /// A new state, which GitHub gives back with its code.
    fn new_state(&self) -> String {
        let state = Uuid::new_v4().simple().to_string();
        let mut states = self.inner.states.lock().unwrap_or_else(PoisonError::into_inner);
        if states.len() >= MOST_STATES {
            states.remove(0);
        }
        states.push((state.clone(), self.inner.clock.now()));
        state
    }

    /// Whether a state is one of ours; it is good once.
    fn take_state(&self, given: &str) -> bool {
        let now = self.inner.clock.now();
        let mut states = self.inner.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|(_, made)| now.duration_since(*made) < STATE_HOLDS);
        let place = states.iter().position(|(state, _)| is_same(state, given));
        place.map(|place| states.remove(place)).is_some()
    }
}

/// Compares in a time that does not tell where two texts differ.
fn is_same(known: &str, given: &str) -> bool {
    let differences = known.bytes().zip(given.bytes()).fold(0, |found, (one, other)| found | (one ^ other));
    known.len() == given.len() && differences == 0
}
