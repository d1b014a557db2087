//! Which of many texts belong to a question, by the words that they share: Okapi BM25 (Robertson and Zaragoza, "The
//! Probabilistic Relevance Framework: BM25 and Beyond", 2009). The same texts give the same answer; nothing is learned, and
//! nobody is asked.

use std::collections::BTreeMap;

/// How soon a word that comes again counts no more.
const SATURATION: f64 = 1.2;
/// How much the length of a text counts, 0 to 1.
const LENGTH: f64 = 0.75;

/// The places of the texts that fit a question best, the best first: `most` at most, and none that shares no word with it. Of
/// two that fit as well the later one comes first.
pub fn most_relevant(question: &str, texts: &[String], most: usize) -> Vec<usize> {
    let counted: Vec<BTreeMap<String, u32>> = texts.iter().map(|text| counts(text)).collect();
    let lengths: Vec<f64> = counted.iter().map(|words| words.values().map(|count| f64::from(*count)).sum()).collect();
    let usual = (lengths.iter().sum::<f64>() / lengths.len().max(1) as f64).max(1.0);
    let mut scores: Vec<(usize, f64)> = texts.iter().enumerate().map(|(place, _)| (place, 0.0)).collect();
    for word in counts(question).keys() {
        let having = counted.iter().filter(|words| words.contains_key(word)).count() as f64;
        let all = texts.len() as f64;
        if having >= all && texts.len() > 1 {
            // What all have tells none from the others.
            continue;
        }
        // Never below 0, as in Lucene: a word that most have says little, and nothing against a text.
        let rareness = (1.0 + (all - having + 0.5) / (having + 0.5)).ln();
        for (place, score) in &mut scores {
            let Some(count) = counted[*place].get(word).map(|count| f64::from(*count)) else { continue };
            let length = 1.0 - LENGTH + LENGTH * lengths[*place] / usual;
            *score += rareness * count * (SATURATION + 1.0) / (count + SATURATION * length);
        }
    }
    scores.retain(|(_, score)| *score > 0.0);
    scores.sort_by(|(first, one), (second, other)| other.total_cmp(one).then(second.cmp(first)));
    scores.into_iter().take(most).map(|(place, _)| place).collect()
}

/// The words of a text, in lower case, and how often each stands in it.
fn counts(text: &str) -> BTreeMap<String, u32> {
    let mut words = BTreeMap::new();
    for word in text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let count = words.entry(word.to_lowercase()).or_insert(0_u32);
        *count = count.saturating_add(1);
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(question: &str, texts: &[&str]) -> Vec<usize> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        most_relevant(question, &texts, 2)
    }

    #[test]
    fn a_rare_word_says_more_than_many_usual_ones() {
        let texts = [
            "the invoice of the customer was paid by the customer",
            "the session library is at version 4.2",
            "the customer asks for the invoice",
            "nothing",
        ];
        assert_eq!(found("which version has the session library", &texts), [1, 0]);
        assert_eq!(found("Invoice?", &texts), [2, 0], "the shorter text is more about it");
        assert_eq!(found("weather", &texts), Vec::<usize>::new());
        assert_eq!(found("same", &["same", "same", "same", ""]), [2, 1], "of equals the later ones");
        assert_eq!(found("same", &["same", "same"]), Vec::<usize>::new(), "what all have tells nothing");
        assert_eq!(found("x", &[]), Vec::<usize>::new());
    }

    proptest! {
        #[test]
        fn whatever_is_found_shares_a_word_and_is_found_once(
            question in "[a-c ]{0,12}", texts in proptest::collection::vec("[a-c ]{0,12}", 0..8), most in 0_usize..4,
        ) {
            let found = most_relevant(&question, &texts, most);
            prop_assert!(found.len() <= most);
            for (nth, place) in found.iter().enumerate() {
                prop_assert!(!found[..nth].contains(place));
                prop_assert!(counts(&question).keys().any(|word| counts(&texts[*place]).contains_key(word)));
            }
        }
    }
}
