//! An editor without a screen: it starts the real language server and speaks its protocol over standard input and output.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::program;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// An editor with its server.
pub struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Value>,
    next_id: i64,
    /// What the server said about itself.
    pub capabilities: Value,
    /// The diagnostics that were published last, by address.
    pub diagnostics: BTreeMap<String, Value>,
    /// Requests that the server made, by method.
    pub asked: Vec<String>,
    root: PathBuf,
    /// `utf-8` counts bytes, `utf-16` what the protocol's name says.
    pub encoding: &'static str,
}

impl Editor {
    /// A server for a folder, initialised; places are counted in UTF-16 units.
    pub fn open(root: &Path) -> Self {
        Self::with(root, "utf-16", Self::abilities())
    }

    /// What a modern editor can do.
    pub fn abilities() -> Value {
        json!({
            "textDocument": {
                "completion": {"completionItem": {"snippetSupport": true}},
                "documentSymbol": {"hierarchicalDocumentSymbolSupport": true},
            },
            "workspace": {
                "workspaceEdit": {"documentChanges": true},
                "didChangeWatchedFiles": {"dynamicRegistration": true},
            },
        })
    }

    /// A server for a folder, initialised by a client with these abilities.
    pub fn with(root: &Path, encoding: &'static str, mut abilities: Value) -> Self {
        let mut editor = Self::raw(root);
        editor.encoding = encoding;
        abilities["general"] = json!({"positionEncodings": [encoding]});
        let folders = json!([{"uri": editor.uri(""), "name": "root"}]);
        let params = json!({"processId": std::process::id(), "rootUri": null, "capabilities": abilities, "workspaceFolders": folders});
        let answer = editor.request("initialize", params).unwrap();
        editor.capabilities = answer["capabilities"].clone();
        editor.notify("initialized", json!({}));
        editor
    }

    /// A server that nothing was said to.
    pub fn raw(root: &Path) -> Self {
        let mut command = Command::new(program());
        command.arg("lsp").current_dir(root).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut reader) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            input,
            output,
            next_id: 0,
            capabilities: Value::Null,
            diagnostics: BTreeMap::new(),
            asked: Vec::new(),
            root: root.to_owned(),
            encoding: "utf-16",
        }
    }

    /// The address of a file.
    pub fn uri(&self, path: &str) -> String {
        let full = if path.is_empty() { self.root.clone() } else { self.root.join(path) };
        format!("file://{}", full.display())
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.send_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request without waiting for its answer; gives its id.
    pub fn ask(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let params = if params.is_null() { json!({}) } else { params };
        let mut message = json!({"jsonrpc": "2.0", "id": self.next_id, "method": method});
        if method != "shutdown" {
            message["params"] = params;
        }
        self.send(&message);
        self.next_id
    }

    /// The answer to a request: its result, or its error.
    pub fn answer(&mut self, id: &Value) -> Result<Value, Value> {
        loop {
            let message = self.receive().expect("the server has ended");
            if message["id"] == *id && message.get("method").is_none() {
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.ask(method, params);
        self.answer(&json!(id))
    }

    /// The next message, after its diagnostics were kept and its request was answered; nothing when the server has ended.
    pub fn receive(&mut self) -> Option<Value> {
        let message = match self.output.recv_timeout(PATIENCE) {
            Ok(message) => message,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => panic!("the server says nothing"),
        };
        if message["method"] == "textDocument/publishDiagnostics" {
            let uri = message["params"]["uri"].as_str().unwrap().to_owned();
            self.diagnostics.insert(uri, message["params"].clone());
        }
        if let (Some(method), Some(id)) = (message["method"].as_str(), message.get("id")) {
            self.asked.push(method.to_owned());
            if self.input.is_some() {
                self.send(&json!({"jsonrpc": "2.0", "id": id, "result": null}));
            }
        }
        Some(message)
    }

    /// Opens a document.
    pub fn open_document(&mut self, path: &str, text: &str) {
        let document = json!({"uri": self.uri(path), "languageId": "yaml", "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// Gives a document another text.
    pub fn change_document(&mut self, path: &str, version: i32, text: &str) {
        let document = json!({"uri": self.uri(path), "version": version});
        self.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [{"text": text}]}));
    }

    /// Replaces a part of a document.
    pub fn edit_document(&mut self, path: &str, version: i32, range: Value, text: &str) {
        let document = json!({"uri": self.uri(path), "version": version});
        let change = json!({"range": range, "text": text});
        self.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]}));
    }

    /// Waits for the diagnostics of a version of a document.
    pub fn diagnostics_of(&mut self, path: &str, version: i32) -> Vec<Value> {
        let uri = self.uri(path);
        loop {
            if let Some(known) = self.diagnostics.get(&uri).filter(|known| known["version"] == version) {
                return known["diagnostics"].as_array().unwrap().clone();
            }
            self.receive().expect("the server has ended");
        }
    }

    /// The codes of a version's diagnostics.
    pub fn codes(&mut self, path: &str, version: i32) -> Vec<String> {
        let found = self.diagnostics_of(path, version);
        found.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    }

    /// A place of a text, as the editor counts: where `needle` begins, and so many bytes into it.
    pub fn place(&self, text: &str, needle: &str, inside: usize) -> Value {
        let offset = text.find(needle).unwrap_or_else(|| panic!("{needle} is not there")) + inside;
        let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let line = text[..offset].matches('\n').count();
        let before = &text[line_start..offset];
        let character = match self.encoding {
            "utf-8" => before.len(),
            "utf-16" => before.encode_utf16().count(),
            _ => before.chars().count(),
        };
        json!({"line": line, "character": character})
    }

    /// The parameters of a question about a place.
    pub fn at(&self, path: &str, text: &str, needle: &str, inside: usize) -> Value {
        json!({"textDocument": {"uri": self.uri(path)}, "position": self.place(text, needle, inside)})
    }

    /// A text after edits in the protocol's form.
    pub fn edited(&self, text: &str, edits: &[Value]) -> String {
        let mut spans: Vec<(usize, usize, String)> = edits
            .iter()
            .map(|edit| {
                let range = &edit["range"];
                let new = edit["newText"].as_str().unwrap().to_owned();
                (self.offset(text, &range["start"]), self.offset(text, &range["end"]), new)
            })
            .collect();
        spans.sort();
        let mut text = text.to_owned();
        for (start, end, new) in spans.into_iter().rev() {
            text.replace_range(start..end, &new);
        }
        text
    }

    /// The byte of a place.
    pub fn offset(&self, text: &str, place: &Value) -> usize {
        let line = usize::try_from(place["line"].as_u64().unwrap()).unwrap();
        let wanted = usize::try_from(place["character"].as_u64().unwrap()).unwrap();
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let mut units = 0;
        for (at, character) in text[start..].char_indices() {
            if units >= wanted {
                return start + at;
            }
            units += match self.encoding {
                "utf-8" => character.len_utf8(),
                "utf-16" => character.len_utf16(),
                _ => 1,
            };
        }
        text.len()
    }

    /// Says `shutdown` and `exit`; gives how the server ended.
    pub fn quit(mut self) -> ExitStatus {
        self.request("shutdown", Value::Null).unwrap();
        self.notify("exit", Value::Null);
        self.wait()
    }

    /// Closes the server's input.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// Waits for the server's end; its input stays open.
    pub fn wait(mut self) -> ExitStatus {
        while self.receive().is_some() {}
        self.child.wait().unwrap()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // A test that failed leaves it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(reader: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            header => {
                let (name, value) = header.split_once(": ").unwrap();
                if name == "Content-Length" {
                    length = Some(value.parse::<usize>().unwrap());
                }
            }
        }
    }
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}
