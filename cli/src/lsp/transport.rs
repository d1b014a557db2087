//! Messages over a pair of streams: headers, JSON, order. Of our own, because a malformed message must neither end the
//! server nor cost the one after it, and a request must see the documents as they were when it was sent.

use std::future::Future;
use std::io::{BufRead, Read, Write};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tower::Service;
use tower_lsp_server::jsonrpc::{Error, ErrorCode, Id, Request, Response};
use tower_lsp_server::{ClientSocket, ExitedError, LspService};

use super::server::Server;

/// Largest message that is read, in bytes; larger ones are passed over. The largest definition has 8 MiB.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// Longest header line.
const MAX_HEADER: u64 = 8 * 1024;
/// How long answers that are still being worked on are waited for when the input ends.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Why serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client said `exit`.
    Exit,
    /// The input or the output was closed, or the client's process died.
    Gone,
}

type Answer = Pin<Box<dyn Future<Output = Result<Option<Response>, ExitedError>> + Send>>;

/// Serves until the client says `exit` or goes away. Reading and writing have a thread each.
pub async fn serve(
    input: impl BufRead + Send + 'static,
    output: impl Write + Send + 'static,
    mut service: LspService<Server>,
    socket: ClientSocket,
) -> End {
    let mut messages = read_all(input);
    let (sender, mut writer) = write_all(output);
    let (mut requests, mut responses) = socket.split();
    let to_client = sender.clone();
    let forward = tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            send(&to_client, &request);
        }
    });
    let mut running = JoinSet::new();
    let mut deaf = false;
    let end = loop {
        let message = tokio::select! {
            message = messages.recv() => message,
            _ = &mut writer => {
                deaf = true;
                break End::Gone;
            }
        };
        while running.try_join_next().is_some() {}
        match message {
            None => break End::Gone,
            Some(Err(reason)) => refuse(&sender, ErrorCode::ParseError, reason),
            Some(Ok(message)) if message.get("method").is_none() => {
                // An answer to something that we asked; one that nobody waits for is dropped by the library.
                if let Ok(response) = serde_json::from_value::<Response>(message) {
                    let _ = responses.send(response).await;
                }
            }
            Some(Ok(message)) => match serde_json::from_value::<Request>(message) {
                Err(error) => refuse(&sender, ErrorCode::InvalidRequest, error.to_string()),
                Ok(request) => {
                    let exits = request.method() == "exit";
                    dispatch(&mut service, request, &sender, &mut running).await;
                    if exits {
                        break End::Exit;
                    }
                }
            },
        }
    };
    if end == End::Gone && !deaf {
        let all = async { while running.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_ANSWERS, all).await;
    }
    running.abort_all();
    forward.abort();
    let _ = forward.await;
    drop(sender);
    if !deaf {
        let _ = tokio::time::timeout(LAST_ANSWERS, writer).await;
    }
    end
}

/// Every message, or why it is none, until the input ends.
fn read_all(mut input: impl BufRead + Send + 'static) -> mpsc::Receiver<Result<Value, String>> {
    let (sender, receiver) = mpsc::channel(64);
    std::thread::spawn(move || {
        loop {
            let message = match read(&mut input) {
                Ok(message) => Ok(message),
                Err(Unread::Malformed(reason)) => Err(reason),
                Err(Unread::Ended) => return,
            };
            if sender.blocking_send(message).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Writes what is sent; the second ends when everything is written, or nothing can be any more.
fn write_all(mut output: impl Write + Send + 'static) -> (mpsc::UnboundedSender<Vec<u8>>, oneshot::Receiver<()>) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<Vec<u8>>();
    let (done, ended) = oneshot::channel();
    std::thread::spawn(move || {
        while let Some(frame) = receiver.blocking_recv() {
            if output.write_all(&frame).and_then(|()| output.flush()).is_err() {
                break;
            }
        }
        let _ = done.send(());
    });
    (sender, ended)
}

/// Begins with a message at once, so that it sees what the messages before it have done; what takes longer goes on
/// beside those after it. Notifications change documents and are over before the next message is looked at.
async fn dispatch(
    service: &mut LspService<Server>,
    request: Request,
    sender: &mpsc::UnboundedSender<Vec<u8>>,
    running: &mut JoinSet<()>,
) {
    let id = request.id().cloned();
    if std::future::poll_fn(|context| service.poll_ready(context)).await.is_err() {
        return;
    }
    let answer: Answer = service.call(request);
    let mut answer = Box::pin(AssertUnwindSafe(answer).catch_unwind());
    let Some(id) = id else {
        let _ = answer.await;
        return;
    };
    let sender = sender.clone();
    let reply = move |answered: Result<Result<Option<Response>, ExitedError>, _>, id: Id| match answered {
        Ok(Ok(Some(response))) => send(&sender, &response),
        Ok(_) => {}
        Err::<_, Box<dyn std::any::Any + Send>>(_) => send(&sender, &Response::from_error(id, Error::internal_error())),
    };
    match futures_util::poll!(&mut answer) {
        std::task::Poll::Ready(answered) => reply(answered, id),
        std::task::Poll::Pending => {
            running.spawn(async move { reply(answer.await, id) });
        }
    }
}

fn refuse(sender: &mpsc::UnboundedSender<Vec<u8>>, code: ErrorCode, reason: String) {
    let error = Error { code, message: reason.into(), data: None };
    send(sender, &Response::from_error(Id::Null, error));
}

fn send(sender: &mpsc::UnboundedSender<Vec<u8>>, message: &impl serde::Serialize) {
    let Ok(body) = serde_json::to_vec(message) else { return };
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend(body);
    // A closed channel: the client is gone, and whoever reads notices it too.
    let _ = sender.send(frame);
}

/// Why no message was read.
#[derive(Debug)]
enum Unread {
    /// There are no more.
    Ended,
    /// It makes no sense; the next one can be read.
    Malformed(String),
}

/// Reads one message. After a malformed one it goes on at the next `Content-Length`.
fn read(input: &mut impl BufRead) -> Result<Value, Unread> {
    let length = header(input)?;
    if length > MAX_MESSAGE {
        let _ = std::io::copy(&mut input.take(length as u64), &mut std::io::sink());
        return Err(Unread::Malformed(format!("a message of {length} bytes is too large")));
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).map_err(|_| Unread::Ended)?;
    serde_json::from_slice(&body).map_err(|error| Unread::Malformed(format!("this is no JSON: {error}")))
}

/// Reads the headers up to the empty line; gives the length of what follows.
fn header(input: &mut impl BufRead) -> Result<usize, Unread> {
    let mut length: Option<Result<usize, String>> = None;
    let mut junk = false;
    loop {
        let mut line = Vec::new();
        let count = input.by_ref().take(MAX_HEADER).read_until(b'\n', &mut line).map_err(|_| Unread::Ended)?;
        if count == 0 {
            return Err(Unread::Ended);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            match length {
                Some(Ok(length)) => return Ok(length),
                Some(Err(reason)) => return Err(Unread::Malformed(reason)),
                None if junk => return Err(Unread::Malformed("the header `Content-Length` is missing".to_owned())),
                // Empty lines between messages do no harm.
                None => continue,
            }
        }
        // Behind a broken message its rest may stand on the same line.
        let at = line.to_ascii_lowercase().rfind("content-length:");
        match at {
            Some(at) => {
                let value = line.get(at + "content-length:".len()..).unwrap_or_default().trim();
                length = Some(value.parse().map_err(|_| format!("`{value}` is no length")));
            }
            None => junk |= !line.to_ascii_lowercase().starts_with("content-type:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<String> {
        let mut input = std::io::Cursor::new(bytes);
        let mut found = Vec::new();
        loop {
            match read(&mut input) {
                Ok(value) => found.push(value.to_string()),
                Err(Unread::Malformed(reason)) => found.push(reason),
                Err(Unread::Ended) => return found,
            }
        }
    }

    #[test]
    fn messages_are_read_and_malformed_ones_passed_over() {
        assert_eq!(all(b"Content-Length: 2\r\n\r\n{}content-length:4\r\n\r\ntrue"), ["{}", "true"]);
        assert_eq!(all(b"Content-Type: x\r\nContent-Length: 1\r\n\r\n1"), ["1"]);
        let bad_json = all(b"Content-Length: 3\r\n\r\n{a}Content-Length: 1\r\n\r\n1");
        assert!(bad_json[0].starts_with("this is no JSON") && bad_json[1] == "1", "{bad_json:?}");
        assert_eq!(all(b"Content-Length: x\r\n\r\nContent-Length: 1\r\n\r\n1"), ["`x` is no length", "1"]);
        assert_eq!(all(b"hello\r\n\r\nContent-Length: 1\r\n\r\n1"), ["the header `Content-Length` is missing", "1"]);
        assert_eq!(all(b"Content-Length: 9\r\n\r\n{}"), Vec::<String>::new());
        assert_eq!(all(&[0xff; 100]), Vec::<String>::new());
    }
}
