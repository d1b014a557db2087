//! Anchors and aliases: an alias stands for the anchor before it, so entries may only change places where that stays so.

use std::collections::BTreeMap;

use crate::source::{LaidContent, LaidId, Layout, Span};

/// Where each alias is and where the anchor that it means; nothing where a name is given twice.
pub(super) struct Anchors {
    pairs: Option<Vec<(usize, usize)>>,
}

impl Anchors {
    pub(super) fn of(text: &str, layout: &Layout) -> Self {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut pairs = Some(Vec::new());
        for node in &layout.nodes {
            if let Some(anchor) = node.anchor {
                let name = text.get(anchor.range()).unwrap_or_default().trim_start_matches('&');
                if places.insert(name, anchor.start as usize).is_some() {
                    pairs = None;
                }
            }
        }
        for node in layout.nodes.iter().filter(|node| matches!(node.content, LaidContent::Alias)) {
            let name = text.get(node.span.range()).unwrap_or_default().trim_start_matches('*').trim_end();
            if let (Some(pairs), Some(anchor)) = (&mut pairs, places.get(name)) {
                pairs.push((node.span.start as usize, *anchor));
            }
        }
        if places.is_empty() {
            pairs = Some(Vec::new());
        }
        Self { pairs }
    }

    /// Whether the entries of a mapping may stand in this order.
    pub(super) fn allow(
        &self,
        layout: &Layout,
        mapping: Span,
        written: &[(LaidId, LaidId)],
        sorted: &[(LaidId, LaidId)],
    ) -> bool {
        let Some(pairs) = &self.pairs else { return written == sorted };
        let starts: Vec<usize> = written.iter().map(|(key, _)| layout.nodes[*key].span.start as usize).collect();
        let inside = |at: usize| mapping.start as usize <= at && at < mapping.end as usize;
        let entry = |at: usize| starts.partition_point(|start| *start <= at).checked_sub(1);
        let place: BTreeMap<LaidId, usize> = sorted.iter().enumerate().map(|(place, (key, _))| (*key, place)).collect();
        let now = |entry: usize| written.get(entry).and_then(|(key, _)| place.get(key).copied());
        pairs.iter().filter(|(alias, anchor)| inside(*alias) && inside(*anchor)).all(|(alias, anchor)| {
            match (entry(*alias), entry(*anchor)) {
                (Some(alias), Some(anchor)) if alias != anchor => now(anchor) < now(alias),
                _ => true,
            }
        })
    }
}
