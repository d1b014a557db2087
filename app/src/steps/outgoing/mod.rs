//! Calls of definitions to the outside: public addresses only, a few redirects, none to another host with credentials,
//! answers of limited size within limited time. It knows HTTP, and nothing of steps.

mod address;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::{Host, Url};

use self::address::is_public;

/// The largest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 1024 * 1024;
/// Redirects that are followed.
pub const MAX_REDIRECTS: usize = 5;
/// How long setting up a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What definitions may reach.
#[derive(Debug, Clone, Default)]
pub struct OutgoingOptions {
    /// Whether private addresses may be called (`FLOWCTL_ALLOW_PRIVATE_NETWORKS`).
    pub allow_private_networks: bool,
    /// Addresses of the operator's own that may be called wherever they lie: scheme, host and port count.
    pub exempt: Vec<Url>,
}

/// Makes calls.
#[derive(Debug, Clone)]
pub struct Outgoing {
    public: Client,
    anywhere: Client,
    options: OutgoingOptions,
}

/// A call.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Those of the headers that are flowctl's own and no definition's: these alone go to another host.
    pub(crate) own_headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    /// Whether anything in it must not reach another host than it was meant for.
    pub(crate) carries_credentials: bool,
    /// Whether an answer that redirects is followed.
    pub(crate) follows_redirects: bool,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// The address may not be called.
    #[error("{host} is an address in a private network, which definitions may not call; {}", ALLOW)]
    Private {
        /// The host.
        host: String,
    },
    /// The address is none for HTTP.
    #[error("`{scheme}:` is no scheme that can be called; write `https:` or `http:`")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// A redirect leads elsewhere with credentials.
    #[error("the answer redirects to {to}, another host, and the call carries credentials: call that address directly")]
    CredentialsElsewhere {
        /// Where to: scheme, host and port.
        to: String,
    },
    /// A redirect that leads nowhere.
    #[error("the answer redirects to `{location}`, which is no address")]
    WrongRedirect {
        /// What the answer said.
        location: String,
    },
    /// Too many redirects.
    #[error("the answer redirects more than {} times", MAX_REDIRECTS)]
    TooManyRedirects,
    /// The answer is too large.
    #[error("the answer is larger than {} MiB", .largest / (1024 * 1024))]
    TooLarge {
        /// The largest that is read, in bytes.
        largest: usize,
    },
    /// The other side did not answer in time.
    #[error("{host} did not answer in time")]
    Timeout {
        /// The host.
        host: String,
    },
    /// The other side cannot be reached, or went away.
    #[error("{host} cannot be reached: {reason}")]
    Network {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// The request cannot be made.
    #[error("the request cannot be made: {reason}")]
    Request {
        /// Why.
        reason: String,
    },
}

const ALLOW: &str = "the operator can allow it with FLOWCTL_ALLOW_PRIVATE_NETWORKS=true";

impl Outgoing {
    /// Something that makes calls within these limits.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub fn new(options: OutgoingOptions) -> Result<Self, OutgoingError> {
        let client = || {
            Client::builder()
                .user_agent(concat!("flowctl/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                // A proxy would resolve names itself, past the check of addresses.
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
        };
        let request = |error: reqwest::Error| OutgoingError::Request { reason: root_cause(&error) };
        Ok(Self {
            public: client().dns_resolver(PublicOnly).build().map_err(request)?,
            anywhere: client().build().map_err(request)?,
            options,
        })
    }

    /// Makes a call and follows redirects. Time is the caller's to limit.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, OutgoingError> {
        self.call_up_to(call, MAX_ANSWER).await
    }

    /// The same with an answer of up to so many bytes.
    pub(crate) async fn call_up_to(&self, mut call: Call, largest: usize) -> Result<Answer, OutgoingError> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(&call).await?;
            let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            let Some(location) = location.filter(|_| call.follows_redirects) else {
                return answer(&call, response, largest).await;
            };
            let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
            redirect(&mut call, response.status(), location)?;
        }
        Err(OutgoingError::TooManyRedirects)
    }

    /// Makes a call and follows nothing; the body of the answer is still to be read.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response, OutgoingError> {
        let client = self.client(&call.url)?;
        let mut request = client.request(call.method.clone(), call.url.clone()).headers(call.headers.clone());
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        request.send().await.map_err(|error| failure(&call.url, error))
    }

    /// The client for this address: names are checked when they are resolved, and written-out addresses here.
    fn client(&self, url: &Url) -> Result<&Client, OutgoingError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutgoingError::Scheme { scheme: url.scheme().to_owned() });
        }
        let exempt = self.options.exempt.iter().any(|exempt| exempt.origin() == url.origin());
        if self.options.allow_private_networks || exempt {
            return Ok(&self.anywhere);
        }
        let allowed = match url.host() {
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        if allowed { Ok(&self.public) } else { Err(OutgoingError::Private { host: host_of(url) }) }
    }
}

/// Makes the call that a redirect asks for (RFC 9110, section 15.4).
fn redirect(call: &mut Call, status: StatusCode, location: String) -> Result<(), OutgoingError> {
    let Ok(next) = call.url.join(&location) else { return Err(OutgoingError::WrongRedirect { location }) };
    if next.origin() != call.url.origin() {
        if call.carries_credentials {
            return Err(OutgoingError::CredentialsElsewhere { to: next.origin().ascii_serialization() });
        }
        // Any header that a definition sets may be a credential, whatever its name, and none was meant for that host.
        // How a body is to be read goes with the body.
        let content_type = call.headers.remove(CONTENT_TYPE);
        call.headers.clone_from(&call.own_headers);
        call.headers.extend(content_type.map(|content_type| (CONTENT_TYPE, content_type)));
    }
    let becomes_get = match status {
        StatusCode::SEE_OTHER => call.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => call.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        call.method = Method::GET;
        call.body = None;
        call.headers.remove(CONTENT_TYPE);
        call.headers.remove(CONTENT_LENGTH);
    }
    call.url = next;
    Ok(())
}

async fn answer(call: &Call, mut response: Response, largest: usize) -> Result<Answer, OutgoingError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let announced = response.content_length().unwrap_or(0);
    if call.method != Method::HEAD && announced > largest as u64 {
        return Err(OutgoingError::TooLarge { largest });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&call.url, error))? {
        if body.len() + chunk.len() > largest {
            return Err(OutgoingError::TooLarge { largest });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body: body.into() })
}

fn failure(url: &Url, error: reqwest::Error) -> OutgoingError {
    // The library's own words may repeat the address with its query.
    let error = error.without_url();
    let host = host_of(url);
    if let Some(private) = causes(&error).find_map(|cause| cause.downcast_ref::<PrivateName>()) {
        return OutgoingError::Private { host: private.0.clone() };
    }
    if error.is_builder() {
        return OutgoingError::Request { reason: root_cause(&error) };
    }
    if error.is_timeout() {
        return OutgoingError::Timeout { host };
    }
    OutgoingError::Network { host, reason: root_cause(&error) }
}

fn host_of(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "the address".to_owned(),
    }
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn root_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Resolves names, and gives public addresses only. The connection is made to the very address that was checked.
#[derive(Debug, Clone, Copy)]
struct PublicOnly;

/// A name that has no public address.
#[derive(Debug, thiserror::Error)]
#[error("{0} has private addresses only")]
struct PrivateName(String);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public = public_of(name.as_str(), found)?;
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

fn public_of(name: &str, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, PrivateName> {
    let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
    if public.is_empty() { Err(PrivateName(name.to_owned())) } else { Ok(public) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]
    use super::*;

    #[test]
    fn of_a_names_addresses_only_the_public_ones_are_called() {
        let found: Vec<SocketAddr> =
            ["10.0.0.1:0", "8.8.8.8:0", "[::1]:0"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(public_of("mixed.example", found.iter().copied()).unwrap(), found[1..2]);
        let error = public_of("inside.example", found[..1].iter().copied()).unwrap_err();
        assert_eq!(error.to_string(), "inside.example has private addresses only");
    }
}
