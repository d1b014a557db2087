//! Messages for an incoming webhook of Slack (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).

use serde_json::{Value, json};

/// Characters of a message; Slack cuts longer ones
/// (<https://docs.slack.dev/changelog/2018-truncating-really-long-messages>).
const MAX_TEXT: usize = 40_000;

/// The body of a call: the headline in bold above the message. `channel` is honoured by webhooks that are not bound to one.
#[must_use]
pub fn body(channel: Option<&str>, subject: Option<&str>, message: &str) -> Value {
    let message = escaped(message);
    let text = match subject.map(str::trim).filter(|subject| !subject.is_empty()) {
        Some(subject) => format!("*{}*\n{message}", escaped(subject).replace(['\n', '*'], " ")),
        None => message,
    };
    let text: String = text.chars().take(MAX_TEXT).collect();
    match channel {
        Some(channel) => json!({"channel": channel, "text": text}),
        None => json!({"text": text}),
    }
}

/// The three characters that Slack reads as its own; so nothing in a message can mention a whole channel
/// (<https://docs.slack.dev/messaging/formatting-message-text>).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_message_is_read_as_slacks_own() {
        assert_eq!(
            body(Some("#releases"), Some("v7 *now*"), "<!channel> R&D says 1 > 0"),
            json!({"channel": "#releases", "text": "*v7  now *\n&lt;!channel&gt; R&amp;D says 1 &gt; 0"})
        );
        assert_eq!(body(None, Some(" "), "hello"), json!({"text": "hello"}));
        let long = body(None, None, &"x".repeat(50_000));
        assert_eq!(long["text"].as_str().map(str::len), Some(MAX_TEXT));
    }
}
