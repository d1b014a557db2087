//! Server-sent events (HTML standard, section 9.2) as providers stream their answers: each has data, most have a name. Knows no
//! provider.

use flowctl_core::definition::ErrorClass;
use http::header::CONTENT_TYPE;
use reqwest::Response;

use super::super::ProviderError;
use super::cut_off;

/// The largest answer of a model that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// An event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Its name, where it has one.
    pub(super) name: String,
    /// Its data.
    pub(super) data: String,
}

/// The events of an answer, as they come.
pub(super) struct Events {
    response: Response,
    is_stream: bool,
    buffer: Vec<u8>,
    /// How far no line ends in `buffer`.
    searched: usize,
    read: usize,
    next: Sent,
    over: bool,
}

impl Events {
    pub(super) fn new(response: Response) -> Self {
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_stream = content_type.starts_with("text/event-stream");
        Self { response, is_stream, buffer: Vec::new(), searched: 0, read: 0, next: Sent::default(), over: false }
    }

    /// The next event; nothing at the end. An answer that is no stream is one event without a name.
    pub(super) async fn next(&mut self) -> Result<Option<Sent>, ProviderError> {
        if !self.is_stream {
            if self.over {
                return Ok(None);
            }
            while self.fill().await? {}
            self.over = true;
            let data = String::from_utf8_lossy(&self.buffer).into_owned();
            return Ok(Some(Sent { name: String::new(), data }));
        }
        loop {
            while let Some(line) = self.line() {
                if let Some(event) = self.take(&line) {
                    return Ok(Some(event));
                }
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    async fn fill(&mut self) -> Result<bool, ProviderError> {
        let chunk = self.response.chunk().await.map_err(|_| cut_off())?;
        let Some(chunk) = chunk else { return Ok(false) };
        self.read += chunk.len();
        if self.read > MAX_ANSWER {
            let message = format!("the provider's answer is larger than {} MiB", MAX_ANSWER / (1024 * 1024));
            return Err(ProviderError::new(ErrorClass::Refused, message));
        }
        self.buffer.extend_from_slice(&chunk);
        Ok(true)
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Option<String> {
        let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
        self.searched = 0;
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(String::from_utf8_lossy(line).into_owned())
    }

    /// Takes a line; an empty one ends an event.
    fn take(&mut self, line: &str) -> Option<Sent> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.next);
            return (!event.data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.next.name = value.to_owned(),
            "data" => {
                if !self.next.data.is_empty() {
                    self.next.data.push('\n');
                }
                self.next.data.push_str(value);
            }
            // Comments keep the connection alive; ids and pauses are for those who come back.
            _ => {}
        }
        None
    }
}

/// The body of a failure, as far as it is read.
pub(super) async fn limited(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > 64 * 1024 {
            break;
        }
    }
    Some(body)
}
