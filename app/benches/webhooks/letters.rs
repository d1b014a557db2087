//! What is sent: made payloads of one size, or every example of a file as npm's `@octokit/webhooks-examples` has it. Each
//! with its signature, made beforehand.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use crate::Failure;

/// So many repositories send the made ones.
const REPOSITORIES: usize = 64;

/// A payload that may be sent any number of times.
pub struct Letter {
    pub event: String,
    pub body: String,
    pub signature: String,
}

/// Payloads of about this size.
pub fn made(secret: &str, bytes: usize) -> Vec<Letter> {
    (0..REPOSITORIES).map(|number| signed(secret, "watch", payload(number, bytes))).collect()
}

/// Every example of a list of events (`[{"name": …, "examples": […]}]`), in an order that has nothing to do with theirs.
pub fn examples(secret: &str, file: &Path) -> Result<Vec<Letter>, Failure> {
    let events: Vec<Value> = serde_json::from_slice(&std::fs::read(file)?)?;
    let mut letters = Vec::new();
    for event in &events {
        let (name, examples) = (event["name"].as_str(), event["examples"].as_array());
        let (name, examples) = name.zip(examples).ok_or("an event without name or examples")?;
        letters.extend(examples.iter().map(|example| signed(secret, name, example.to_string())));
    }
    if letters.is_empty() {
        return Err(format!("{} has no examples", file.display()).into());
    }
    let letters = letters.into_iter().enumerate();
    let mut shuffled: Vec<(u64, Letter)> = letters.map(|(index, letter)| (scattered(index as u64), letter)).collect();
    shuffled.sort_by_key(|(place, _)| *place);
    Ok(shuffled.into_iter().map(|(_, letter)| letter).collect())
}

/// The numbers of so many deliveries, each twice, in an order that has nothing to do with theirs and is the same each time.
pub fn twice(deliveries: u64) -> Vec<u64> {
    let mut order: Vec<u64> = (0..deliveries * 2).collect();
    order.sort_by_key(|number| scattered(*number));
    order.into_iter().map(|number| number / 2).collect()
}

fn scattered(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

fn signed(secret: &str, event: &str, body: String) -> Letter {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| unreachable!());
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    Letter { event: event.to_owned(), body, signature }
}

fn payload(repository: usize, bytes: usize) -> String {
    let mut payload = json!({
        "action": "started",
        "repository": {"id": 9_000_000_000_u64 + repository as u64, "full_name": format!("octo-org/shop-{repository}"),
            "owner": {"login": "octo-org", "id": 9}},
        "sender": {"login": "alice", "id": 10, "type": "User"},
        "links": {},
    });
    let mut length = payload.to_string().len();
    for number in 0.. {
        if length >= bytes {
            break;
        }
        let (name, link) = (
            format!("part_{number}_url"),
            format!("https://api.github.com/repos/octo-org/shop-{repository}/part-{number}{{/number}}"),
        );
        length += name.len() + link.len() + 6;
        payload["links"][name] = link.into();
    }
    payload.to_string()
}
