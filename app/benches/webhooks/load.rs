//! The side that sends: connections that stay open, requests that are signed beforehand, and a clock. It must cost as
//! little as it can, since it runs on the same processors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Failure;
use crate::letters::Letter;

/// What is sent, to whom.
pub struct Load {
    address: SocketAddr,
    connections: usize,
    letters: Arc<Vec<Letter>>,
}

/// How deliveries went.
#[derive(Default)]
pub struct Figures {
    /// How long each answer took, in milliseconds, ascending.
    pub taken: Vec<f64>,
    /// How many were answered so.
    pub statuses: BTreeMap<u16, usize>,
    pub seconds: f64,
}

impl Figures {
    /// How many answers had this status.
    pub fn answered(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    pub fn percentile(&self, part: f64) -> f64 {
        let last = self.taken.len().saturating_sub(1);
        self.taken.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
    }
}

impl Load {
    pub fn new(address: SocketAddr, letters: Vec<Letter>, connections: usize) -> Self {
        Self { address, connections, letters: Arc::new(letters) }
    }

    /// So many a second, evenly. What takes long counts from the moment when it should have been sent.
    pub async fn steady(&self, run: &str, rate: u64, seconds: u64) -> Result<Figures, Failure> {
        let began = Instant::now() + Duration::from_millis(20);
        let total = rate * seconds;
        self.all(run, move |number| {
            let due = began + Duration::from_secs_f64(number as f64 / rate as f64);
            (number < total).then_some((number, Some(due)))
        })
        .await
    }

    /// The same with these deliveries, by their numbers.
    pub async fn in_order(&self, run: &str, rate: u64, order: Vec<u64>) -> Result<Figures, Failure> {
        let began = Instant::now() + Duration::from_millis(20);
        let order = Arc::new(order);
        self.all(run, move |number| {
            let due = began + Duration::from_secs_f64(number as f64 / rate as f64);
            order.get(usize::try_from(number).ok()?).map(|delivery| (*delivery, Some(due)))
        })
        .await
    }

    /// As many as are taken, each connection sending the next one once the last is acknowledged.
    pub async fn full(&self, run: &str, seconds: u64) -> Result<Figures, Failure> {
        let end = Instant::now() + Duration::from_secs(seconds);
        self.all(run, move |number| (Instant::now() < end).then_some((number, None))).await
    }

    async fn all(
        &self,
        run: &str,
        due: impl Fn(u64) -> Option<(u64, Option<Instant>)> + Clone + Send + 'static,
    ) -> Result<Figures, Failure> {
        let began = Instant::now();
        let mut sending = JoinSet::new();
        for connection in 0..self.connections {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (letters, address, run) = (Arc::clone(&self.letters), self.address, run.to_owned());
            let due = due.clone();
            let step = self.connections as u64;
            sending.spawn(async move {
                let mut line = Line { stream, address, sent: Vec::new(), answer: vec![0; 4096] };
                let mut figures = Figures::default();
                let mut number = connection as u64;
                while let Some((delivery, due)) = due(number) {
                    let from = match due {
                        Some(due) => {
                            tokio::time::sleep_until(due.into()).await;
                            due
                        }
                        None => Instant::now(),
                    };
                    let letter = &letters[delivery as usize % letters.len()];
                    let status = line.deliver(&format!("{run}-{delivery}"), letter).await?;
                    *figures.statuses.entry(status).or_default() += 1;
                    figures.taken.push(from.elapsed().as_secs_f64() * 1_000.0);
                    number += step;
                }
                Ok::<_, Failure>(figures)
            });
        }
        let mut all = Figures::default();
        while let Some(done) = sending.join_next().await {
            let done = done??;
            all.taken.extend(done.taken);
            for (status, count) in done.statuses {
                *all.statuses.entry(status).or_default() += count;
            }
        }
        all.taken.sort_by(f64::total_cmp);
        all.seconds = began.elapsed().as_secs_f64();
        Ok(all)
    }
}

/// One connection.
struct Line {
    stream: TcpStream,
    address: SocketAddr,
    sent: Vec<u8>,
    answer: Vec<u8>,
}

impl Line {
    /// Sends one delivery and gives the status of the answer.
    async fn deliver(&mut self, id: &str, letter: &Letter) -> Result<u16, Failure> {
        let Letter { event, body, signature } = letter;
        let (host, length) = (self.address, body.len());
        self.sent.clear();
        self.sent.extend_from_slice(
            format!(
                "POST /webhooks/github HTTP/1.1\r\nhost: {host}\r\naccept: */*\r\nuser-agent: GitHub-Hookshot/bench\r\n\
                 content-type: application/json\r\nx-github-delivery: {id}\r\nx-github-event: {event}\r\n\
                 x-hub-signature-256: {signature}\r\ncontent-length: {length}\r\n\r\n"
            )
            .as_bytes(),
        );
        self.sent.extend_from_slice(body.as_bytes());
        self.stream.write_all(&self.sent).await?;
        let mut read = 0;
        loop {
            let more = self.stream.read(&mut self.answer[read..]).await?;
            if more == 0 {
                return Err("the server closed a connection".into());
            }
            read += more;
            let text = std::str::from_utf8(&self.answer[..read])?;
            let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if rest.len() >= length.map_or(Ok(0), str::parse)? {
                return Ok(head.get(9..12).ok_or("no status")?.parse()?);
            }
        }
    }
}
