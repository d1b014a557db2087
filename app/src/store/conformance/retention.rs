//! An execution that leaves something in every table that can hold something of it. What is left when it is forgotten
//! is for the back ends to count.

use flowctl_core::definition::StepType;
use flowctl_core::definition::process::OnConflict;
use flowctl_core::definition::step::OnFailure;
use flowctl_core::execution::{EventKind, Group, Signal, StepState, Waiting};
use jiff::Timestamp;
use serde_json::json;

use super::given::{Story, acme, at, draft, effect};
use super::lists::ask;
use crate::store::{ApiEvent, CheckRunRow, EffectEnd, GitHubObject, NewSignal, Store, Transition, digest};

/// Lets one live and end; the moment after its end.
pub(crate) async fn live_and_end(store: &impl Store) -> Timestamp {
    let mut story = Story::new(acme(), 1).with_leads();
    story.execution.steps.insert("paid".to_owned(), StepState::pending(StepType::Wait, None, OnFailure::Fail));
    story.execution.group = Some(Group { key: "deploy".to_owned(), on_conflict: OnConflict::Queue });
    story.execution.inputs.insert("much".to_owned(), json!("m".repeat(20_000)));
    let mut story = story.on_pull_request(7);
    let id = story.execution.id;
    let first = Transition { start_key: Some("key".to_owned()), word: Some("word".to_owned()), ..story.transition() };
    store.commit(first).await.unwrap();
    let event = ApiEvent { id: "1".to_owned(), name: "payment".to_owned(), payload: json!({}), at: at(1) };
    store.publish(&acme(), event, Vec::new()).await.unwrap();

    let mut story = story.drafting();
    ask(&mut story, 1);
    let waiting = Waiting::Event { name: "payment".to_owned(), since: at(0), due_at: None };
    story.happened(1, Some("paid"), EventKind::StepWaiting { waiting });
    let mut going = Transition {
        work: vec![draft()],
        streamed: true,
        effects: vec![effect(7, "timeline", 1)],
        ..story.transition()
    };
    let signal = Signal::Cancel { actor: None, reason: "late".to_owned() };
    going.signals = vec![NewSignal { execution: id, signal }];
    if let Some(outputs) = store.outputs() {
        let content = b"large".to_vec();
        going.outputs = vec![digest(&content)];
        outputs.keep(&acme(), &going.outputs[0], content, at(1)).await.unwrap();
    }
    store.commit(going).await.unwrap();
    let told = store.claim_effects("one", 1, at(2), at(3)).await.unwrap();
    store.finish_effect(&told[0], "one", EffectEnd::Failed("gone".to_owned())).await.unwrap();
    store.save_github_object(&acme(), id, GitHubObject::Comment { id: 5, rendered_version: 1 }).await.unwrap();
    let run = CheckRunRow {
        id: 6,
        head_sha: "b".repeat(40),
        status: "in_progress".to_owned(),
        conclusion: None,
        seq: 1,
        rendered_version: 1,
    };
    store.save_github_object(&acme(), id, GitHubObject::CheckRun(run)).await.unwrap();
    let mut story = story.completed();
    store.commit(story.transition()).await.unwrap();
    at(4)
}
