//! Speaks to a git server: smart HTTP, protocol version 2 (gitprotocol-http, gitprotocol-v2) over reqwest, so that git
//! shares our one TLS provider. It moves bytes and knows nothing of the disk. A token goes into a header, never into
//! a URL, and never to another host.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use url::Url;

use super::error::MirrorError;
use super::packet::{CommandRequest, Packet, PacketReader};
use super::storage::Piece;
use crate::github::client::{GitHubError, InstallationClient};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that is still packing sends an empty frame every five seconds (git-config, `uploadpack.keepAlive`).
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
const MOST_REDIRECTS: usize = 3;
/// Of an answer that is held in memory.
const LARGEST_LISTING: usize = 16 * 1024 * 1024;
/// Of a pack that is streamed to the disk.
const LARGEST_PACK: u64 = 4 * 1024 * 1024 * 1024;
const AGENT: &str = concat!("agent=flowctl/", env!("CARGO_PKG_VERSION"));

/// Where the token to fetch with comes from.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// A token that should be accepted.
    async fn token(&self) -> Result<SecretString, GitHubError>;
    /// Another one, after `refused` was not.
    async fn token_instead_of(&self, refused: &SecretString) -> Result<SecretString, GitHubError>;
}

#[async_trait]
impl Credentials for InstallationClient {
    async fn token(&self) -> Result<SecretString, GitHubError> {
        Self::token(self).await
    }

    async fn token_instead_of(&self, refused: &SecretString) -> Result<SecretString, GitHubError> {
        Self::token_instead_of(self, refused).await
    }
}

/// The client that all mirrors share: redirects stay on one host, and there is no limit on the whole of a transfer,
/// which the mirror sets itself.
pub(super) fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    let policy = reqwest::redirect::Policy::custom(|attempt| {
        let stays = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
        if stays && attempt.previous().len() <= MOST_REDIRECTS { attempt.follow() } else { attempt.stop() }
    });
    reqwest::Client::builder()
        .user_agent(concat!("git/flowctl-", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_TIMEOUT)
        .redirect(policy)
        .build()
}

/// A repository on a git server.
pub(super) struct Remote {
    pub(super) client: reqwest::Client,
    pub(super) repository: String,
    pub(super) clone_url: Url,
}

/// A server that has said hello.
pub(super) struct Conversation<'a> {
    remote: &'a Remote,
    /// Where the repository is, after redirects.
    base: String,
    authorization: HeaderValue,
    lists_unborn: bool,
}

/// What a server says of its references.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// The name of the branch that `HEAD` stands for, such as `refs/heads/main`; `HEAD` where it is detached.
    pub(super) head: Option<String>,
    /// Commits by the full names of references, `HEAD` among them.
    pub(super) references: BTreeMap<String, String>,
}

impl Remote {
    /// Asks the server what it can do.
    pub(super) async fn greet(&self, token: &SecretString) -> Result<Conversation<'_>, MirrorError> {
        let authorization = self.authorization(token)?;
        let url = format!("{}/info/refs?service=git-upload-pack", self.clone_url.as_str().trim_end_matches('/'));
        let request = self.client.get(url).header(AUTHORIZATION, authorization.clone());
        let request = request.header("git-protocol", "version=2");
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let response = self.accepted(response)?;
        let found = response.url().clone();
        let Some(path) = found.path().strip_suffix("/info/refs") else {
            return Err(self.protocol(format!("it redirects to {}", found.path())));
        };
        let base = format!("{}{path}", found.origin().ascii_serialization());
        let lists_unborn = self.capabilities(self.packets(response).await?)?;
        Ok(Conversation { remote: self, base, authorization, lists_unborn })
    }

    /// Checks that the server speaks version 2 and SHA-1; tells whether it lists a branch without commits.
    fn capabilities(&self, packets: Vec<Packet>) -> Result<bool, MirrorError> {
        let lines: Vec<&str> = packets.iter().filter_map(Packet::line).collect();
        if !lines.contains(&"version 2") {
            let first = lines.first().copied().unwrap_or("nothing");
            return Err(self.protocol(format!("protocol version 2 is needed, and it says {first:?}")));
        }
        let values = |name: &str| lines.iter().find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches('=')));
        if values("fetch").is_none() || values("ls-refs").is_none() {
            return Err(self.protocol("it offers neither `fetch` nor `ls-refs`".to_owned()));
        }
        if let Some(format) = values("object-format").filter(|format| *format != "sha1") {
            return Err(self.protocol(format!("repositories of object format {format} are not supported")));
        }
        Ok(values("ls-refs").is_some_and(|features| features.split(' ').any(|feature| feature == "unborn")))
    }

    fn authorization(&self, token: &SecretString) -> Result<HeaderValue, MirrorError> {
        let pair = format!("x-access-token:{}", token.expose_secret());
        let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let mut value = HeaderValue::from_str(&text).map_err(|_| self.protocol("the token is no text".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn accepted(&self, response: reqwest::Response) -> Result<reqwest::Response, MirrorError> {
        let repository = self.repository.clone();
        match response.status().as_u16() {
            200 => Ok(response),
            401 => Err(MirrorError::Unauthorized { repository }),
            404 | 410 => Err(MirrorError::RepositoryNotFound { repository }),
            status @ 300..=399 => Err(self.protocol(format!("it redirects elsewhere ({status})"))),
            status @ (429 | 500..=599) => Err(MirrorError::Server { repository, status }),
            status => Err(MirrorError::Refused { repository, status }),
        }
    }

    async fn packets(&self, mut response: reqwest::Response) -> Result<Vec<Packet>, MirrorError> {
        let mut reader = PacketReader::default();
        let mut packets = Vec::new();
        let mut size = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            size += chunk.len();
            if size > LARGEST_LISTING {
                return Err(self.too_large("its list of references", format!("{LARGEST_LISTING} bytes")));
            }
            reader.push(&chunk);
            while let Some(packet) = reader.next().map_err(|error| self.protocol(error.to_string()))? {
                packets.push(packet);
            }
        }
        if !reader.is_empty() {
            return Err(self.cut_off());
        }
        Ok(packets)
    }

    fn unreachable(&self, error: reqwest::Error) -> MirrorError {
        use std::error::Error;
        let error = error.without_url();
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message = format!("{message}: {inner}");
            cause = inner.source();
        }
        MirrorError::Unreachable { repository: self.repository.clone(), message }
    }

    fn cut_off(&self) -> MirrorError {
        let message = "the answer breaks off".to_owned();
        MirrorError::Unreachable { repository: self.repository.clone(), message }
    }

    fn protocol(&self, message: String) -> MirrorError {
        MirrorError::Protocol { repository: self.repository.clone(), message }
    }

    fn too_large(&self, what: &str, limit: String) -> MirrorError {
        MirrorError::TooLarge { repository: self.repository.clone(), what: what.to_owned(), limit }
    }
}

impl Conversation<'_> {
    async fn ask(&self, body: Bytes) -> Result<reqwest::Response, MirrorError> {
        let request = self
            .remote
            .client
            .post(format!("{}/git-upload-pack", self.base))
            .header(AUTHORIZATION, self.authorization.clone())
            .header("git-protocol", "version=2")
            .header(CONTENT_TYPE, "application/x-git-upload-pack-request")
            .header(ACCEPT, "application/x-git-upload-pack-result")
            .body(body);
        self.remote.accepted(request.send().await.map_err(|error| self.remote.unreachable(error))?)
    }

    /// The references of these full names, and what `HEAD` stands for.
    pub(super) async fn list(&self, names: &[String]) -> Result<Listing, MirrorError> {
        let mut request = CommandRequest::new("ls-refs", &[AGENT.to_owned(), "object-format=sha1".to_owned()]);
        request.line("symrefs");
        if self.lists_unborn {
            request.line("unborn");
        }
        for name in names {
            request.line(&format!("ref-prefix {name}"));
        }
        let packets = self.remote.packets(self.ask(request.finish()).await?).await?;
        if packets.last() != Some(&Packet::Flush) {
            return Err(self.remote.cut_off());
        }
        let mut listing = Listing::default();
        for line in packets.iter().filter_map(Packet::line) {
            self.note(line, names, &mut listing)?;
        }
        Ok(listing)
    }

    /// One line: `OID NAME [symref-target:NAME] …`. A prefix also finds longer names, which are left out.
    fn note(&self, line: &str, names: &[String], listing: &mut Listing) -> Result<(), MirrorError> {
        if let Some(message) = line.strip_prefix("ERR ") {
            return Err(self.said(message));
        }
        let mut words = line.split(' ');
        let (Some(id), Some(name)) = (words.next(), words.next()) else {
            return Err(self.remote.protocol(format!("{line:?} is no reference")));
        };
        if !names.iter().any(|wanted| wanted == name) {
            return Ok(());
        }
        if name == "HEAD" {
            let target = words.find_map(|word| word.strip_prefix("symref-target:")).unwrap_or("HEAD");
            listing.head = Some(target.to_owned());
        }
        if id != "unborn" {
            if !super::storage::is_commit_id(id) {
                return Err(self.remote.protocol(format!("{id:?} is no commit id")));
            }
            listing.references.insert(name.to_owned(), id.to_owned());
        }
        Ok(())
    }

    /// Has the server pack what `wants` need beyond `haves`, and passes the pack on piece by piece. Ends with
    /// [`Piece::End`] only when the server said that it is whole.
    pub(super) async fn fetch(
        &self,
        wants: &[String],
        haves: &[String],
        pieces: mpsc::Sender<Piece>,
    ) -> Result<(), MirrorError> {
        let mut request = CommandRequest::new("fetch", &[AGENT.to_owned(), "object-format=sha1".to_owned()]);
        for argument in ["thin-pack", "no-progress", "ofs-delta"] {
            request.line(argument);
        }
        for want in wants {
            request.line(&format!("want {want}"));
        }
        for have in haves {
            request.line(&format!("have {have}"));
        }
        // With `done` the server sends the pack at once instead of negotiating: one request, whatever it makes of
        // our haves.
        request.line("done");
        let response = self.ask(request.finish()).await?;
        self.pump(response, pieces, wants).await
    }

    async fn pump(
        &self,
        mut response: reqwest::Response,
        pieces: mpsc::Sender<Piece>,
        wants: &[String],
    ) -> Result<(), MirrorError> {
        let mut reader = PacketReader::default();
        let mut in_pack = false;
        let mut size = 0_u64;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.remote.unreachable(error))? {
            reader.push(&chunk);
            while let Some(packet) = reader.next().map_err(|error| self.remote.protocol(error.to_string()))? {
                let data = match packet {
                    Packet::Data(data) if in_pack => data,
                    Packet::Flush if in_pack => {
                        // Who reads has stopped reading only because of an error of its own, which it tells.
                        let _ = pieces.send(Piece::End).await;
                        return Ok(());
                    }
                    other => {
                        in_pack = self.heading(&other, wants)?;
                        continue;
                    }
                };
                size += data.len() as u64;
                if size > LARGEST_PACK {
                    return Err(self.remote.too_large("the pack", format!("{LARGEST_PACK} bytes")));
                }
                if let Some(data) = self.side_band(data)?
                    && pieces.send(Piece::Data(data)).await.is_err()
                {
                    return Ok(());
                }
            }
        }
        Err(self.remote.cut_off())
    }

    /// What stands before the pack: whether the pack begins now.
    fn heading(&self, packet: &Packet, wants: &[String]) -> Result<bool, MirrorError> {
        let line = packet.line().unwrap_or_default();
        if line == "packfile" {
            return Ok(true);
        }
        match line.strip_prefix("ERR ") {
            Some(message) => Err(self.unknown(message, wants).unwrap_or_else(|| self.said(message))),
            None => Ok(false),
        }
    }

    /// Side-band (gitprotocol-v2, "packfile section"): 1 is the pack, 2 is chatter, 3 is an error.
    fn side_band(&self, mut data: Bytes) -> Result<Option<Bytes>, MirrorError> {
        use bytes::Buf;
        if data.is_empty() {
            return Ok(None);
        }
        match data.get_u8() {
            1 => Ok((!data.is_empty()).then_some(data)),
            2 => Ok(None),
            3 => Err(self.said(&String::from_utf8_lossy(&data))),
            band => Err(self.remote.protocol(format!("there is no band {band}"))),
        }
    }

    /// git says `upload-pack: not our ref ID`.
    fn unknown(&self, message: &str, wants: &[String]) -> Option<MirrorError> {
        let commit = wants.iter().find(|want| message.contains("not our ref") && message.contains(want.as_str()))?;
        Some(MirrorError::UnknownCommit { repository: self.remote.repository.clone(), commit: commit.clone() })
    }

    fn said(&self, message: &str) -> MirrorError {
        let message = message.trim().chars().take(500).collect();
        MirrorError::Remote { repository: self.remote.repository.clone(), message }
    }
}
