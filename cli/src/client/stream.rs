//! The events of an execution as they happen: connects, and connects again where the connection breaks.

use std::collections::VecDeque;
use std::time::Duration;

use flowctl_app::api::EventView;
use reqwest::{Method, Response};

use super::{Client, is_over};

/// The first pause before connecting again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Something that comes in.
#[derive(Debug)]
pub enum Message {
    /// An event.
    Event(Box<EventView>),
    /// The connection broke; it is tried again.
    Broken(anyhow::Error),
    /// There is nothing more.
    End,
}

/// An execution that is followed.
pub struct Following<'c> {
    client: &'c Client,
    path: String,
    seen: u64,
    connection: Option<Response>,
    /// What came in and is not a whole message yet.
    pending: Vec<u8>,
    read: VecDeque<EventView>,
    pause: Duration,
}

impl Client {
    /// Follows an execution from its first event on.
    pub fn follow(&self, execution: &str) -> Following<'_> {
        Following {
            client: self,
            path: format!("/executions/{execution}/events/stream"),
            seen: 0,
            connection: None,
            pending: Vec::new(),
            read: VecDeque::new(),
            pause: PAUSES.0,
        }
    }
}

impl Following<'_> {
    /// Connects for the first time, so that a wrong id or token is told at once.
    pub async fn begin(&mut self) -> anyhow::Result<()> {
        self.connect().await.map(|_| ())
    }

    /// What comes next.
    pub async fn next(&mut self) -> Message {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.seen = event.seq;
                self.pause = PAUSES.0;
                return Message::Event(Box::new(event));
            }
            let Some(connection) = &mut self.connection else {
                match self.connect().await {
                    Ok(true) => continue,
                    Ok(false) => return Message::End,
                    Err(error) => return self.broken(error).await,
                }
            };
            match connection.chunk().await {
                Ok(Some(bytes)) => {
                    self.pending.extend_from_slice(&bytes);
                    self.read_messages();
                }
                // The server ends a stream with the execution, and when it ends itself: connecting tells which.
                Ok(None) => self.connection = None,
                Err(error) => {
                    self.connection = None;
                    return self.broken(error.into()).await;
                }
            }
        }
    }

    /// Connects behind the last event that was seen; whether there is anything to follow.
    async fn connect(&mut self) -> anyhow::Result<bool> {
        let request = self.client.request(Method::GET, &self.path).header("Last-Event-ID", self.seen.to_string());
        let response = request.send().await.map_err(|error| self.client.unreachable(&error))?;
        let response = self.client.sound(response).await?;
        if is_over(&response) {
            return Ok(false);
        }
        self.pending.clear();
        self.connection = Some(response);
        Ok(true)
    }

    async fn broken(&mut self, error: anyhow::Error) -> Message {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES.1);
        Message::Broken(error)
    }

    /// Takes whole messages out of what came in. Comments and fields other than `data` are of no interest here.
    fn read_messages(&mut self) {
        while let Some(end) = self.pending.windows(2).position(|two| two == b"\n\n") {
            let message: Vec<u8> = self.pending.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&message);
            let data: Vec<&str> =
                text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
            if let Ok(event) = serde_json::from_str::<EventView>(&data.join("\n")) {
                self.read.push_back(event);
            }
        }
    }
}
