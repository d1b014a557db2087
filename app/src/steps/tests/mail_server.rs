//! A mail server on this machine (RFC 5321, as much of it as one mail needs) that can refuse what it is told to refuse.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server answers to a command instead of taking it: how the command begins, and the answer.
pub(crate) type Refusals = Vec<(&'static str, &'static str)>;

/// A mail as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
}

pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    delivered: Arc<Mutex<Vec<Delivered>>>,
    task: JoinHandle<()>,
}

impl MailServer {
    /// Each connection takes the next of `refusals`; those after the last are taken as they come.
    pub(crate) async fn start(refusals: Vec<Refusals>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let delivered: Arc<Mutex<Vec<Delivered>>> = Arc::default();
        let kept = delivered.clone();
        let task = tokio::spawn(async move {
            let mut refusals = refusals.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, refusals.next().unwrap_or_default(), kept.clone()));
            }
        });
        Self { address, delivered, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub(crate) fn delivered(&self) -> Vec<Delivered> {
        self.delivered.lock().unwrap().clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, refusals: Refusals, delivered: Arc<Mutex<Vec<Delivered>>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut mail = Delivered::default();
    let _ = write.write_all(b"220 mail.example ready\r\n").await;
    while let Ok(Some(line)) = lines.next_line().await {
        let refused = refusals.iter().find(|(begins, _)| line.to_ascii_uppercase().starts_with(begins));
        let answer = match refused {
            Some((_, "")) => return,
            Some((_, answer)) => (*answer).to_owned(),
            None if line.starts_with("RCPT TO:") => {
                mail.to.push(line["RCPT TO:".len()..].to_owned());
                "250 ok".to_owned()
            }
            None if line == "DATA" => {
                let _ = write.write_all(b"354 go on\r\n").await;
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    mail.text.push_str(&line);
                    mail.text.push('\n');
                }
                delivered.lock().unwrap().push(std::mem::take(&mut mail));
                "250 taken".to_owned()
            }
            None if line.starts_with("EHLO") => "250 mail.example".to_owned(),
            None if line == "QUIT" => "221 bye".to_owned(),
            None => "250 ok".to_owned(),
        };
        if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}
