//! Makes a value that satisfies a JSON Schema, the same one for the same seed. Covers what schemas of answers use; where
//! it does not reach, it says so instead of giving a wrong value.

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Number, Value, json};
use sha2::{Digest, Sha256};

use crate::definition::digest::canonical;
use crate::definition::field;
use crate::execution::untrusted::unmarked;

/// Deepest nesting; from half of it on only what is required is made, so that recursive schemas end.
const MAX_DEPTH: usize = 16;
/// Tries to make one more distinct item.
const MAX_TRIES: usize = 32;
/// Longest repetition that a pattern makes beyond its minimum.
const MAX_EXTRA_REPETITIONS: u64 = 3;

/// A value that satisfies a schema: what the model `mock/MODEL` answers to these texts, the system's first. The same
/// for the same arguments.
///
/// # Errors
/// In words, where none could be made.
pub fn answer<'t>(model: &str, texts: impl IntoIterator<Item = &'t str>, schema: &Value) -> Result<Value, String> {
    let mut seed = Sha256::new_with_prefix(model);
    for text in texts.into_iter().map(unmarked).filter(|text| !text.is_empty()) {
        seed.update([0]);
        seed.update(text);
    }
    Sampler::new(seed.finalize().into(), schema).value()
}

/// A value that satisfies a schema: what the mock with this seed answers in this attempt, whatever it is asked. The same for the
/// same arguments.
///
/// # Errors
/// In words, where none could be made.
pub fn seeded(seed: u64, attempt: u32, schema: &Value) -> Result<Value, String> {
    let start = Sha256::new_with_prefix("seed").chain_update(seed.to_be_bytes()).chain_update(attempt.to_be_bytes());
    // The schema too: two schemas of one form are two questions.
    let start = start.chain_update(canonical(schema));
    Sampler::new(start.finalize().into(), schema).value()
}

/// Makes values for one schema.
struct Sampler<'s> {
    root: &'s Value,
    seed: [u8; 32],
    drawn: u64,
}

impl<'s> Sampler<'s> {
    fn new(seed: [u8; 32], root: &'s Value) -> Self {
        Self { root, seed, drawn: 0 }
    }

    /// A value that satisfies the schema.
    ///
    /// # Errors
    /// In words, where none could be made.
    fn value(&mut self) -> Result<Value, String> {
        let value = self.make(self.root, "value", 0)?;
        match field::faults(self.root, &value).first() {
            None => Ok(value),
            Some((field, fault)) => Err(format!("what it made does not satisfy it (`{field}` {fault})")),
        }
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        let hash = Sha256::new_with_prefix(self.seed).chain_update(self.drawn.to_be_bytes()).finalize();
        u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
    }

    /// A number below `bound`, which is above 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    fn make(&mut self, schema: &Value, name: &str, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(format!("`{name}` is nested too deeply"));
        }
        let Value::Object(schema) = schema else {
            return if *schema == Value::Bool(false) {
                Err(format!("nothing satisfies the schema of `{name}`"))
            } else {
                Ok(Value::String(self.words(name)))
            };
        };
        if let Some(value) = schema.get("const") {
            return Ok(value.clone());
        }
        if let Some(Value::Array(options)) = schema.get("enum")
            && !options.is_empty()
        {
            let chosen = self.below(options.len() as u64);
            return Ok(options[usize::try_from(chosen).unwrap_or(0)].clone());
        }
        if let Some(merged) = self.merged(schema)? {
            return self.make(&Value::Object(merged), name, depth + 1);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(Value::Array(choices)) = schema.get(key) {
                return self.first_of(schema, key, choices, name, depth);
            }
        }
        match type_of(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" => self.integer(schema, name),
            "number" => self.number(schema, name),
            "boolean" => Ok(Value::Bool(self.below(2) == 1)),
            "null" => Ok(Value::Null),
            _ => self.string(schema, name).map(Value::String),
        }
    }

    /// The schema with its reference and `allOf` taken in; nothing where it has neither.
    fn merged(&self, schema: &Map<String, Value>) -> Result<Option<Map<String, Value>>, String> {
        let mut merged = schema.clone();
        let mut parts: Vec<Value> = Vec::new();
        if let Some(reference) = merged.remove("$ref") {
            let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).unwrap_or("?");
            let target = self.root.pointer(pointer);
            parts.push(target.cloned().ok_or_else(|| format!("{reference} is not inside the schema"))?);
        }
        if let Some(Value::Array(all)) = merged.remove("allOf") {
            parts.extend(all);
        }
        if parts.is_empty() {
            return Ok(None);
        }
        for part in parts {
            if let Value::Object(part) = part {
                part.into_iter().for_each(|(key, value)| take_in(&mut merged, key, value));
            }
        }
        Ok(Some(merged))
    }

    fn first_of(
        &mut self,
        schema: &Map<String, Value>,
        key: &str,
        choices: &[Value],
        name: &str,
        depth: usize,
    ) -> Result<Value, String> {
        let mut rest = schema.clone();
        rest.remove(key);
        let mut why = format!("no choice of `{name}` can be made");
        for choice in choices {
            let mut one = rest.clone();
            if let Value::Object(choice) = choice {
                choice.iter().for_each(|(key, value)| take_in(&mut one, key.clone(), value.clone()));
            }
            match self.make(&Value::Object(one), name, depth + 1) {
                Ok(value) => return Ok(value),
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize) -> Result<Value, String> {
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut object = Map::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let is_required = required.contains(&name.as_str());
            if is_required {
                object.insert(name.clone(), self.make(property, name, depth + 1)?);
            } else if depth < MAX_DEPTH / 2
                && let Ok(value) = self.make(property, name, depth + 1)
            {
                object.insert(name.clone(), value);
            }
        }
        let others = schema.get("additionalProperties").cloned().unwrap_or(Value::Bool(true));
        for name in required {
            if !object.contains_key(name) {
                object.insert(name.to_owned(), self.make(&others, name, depth + 1)?);
            }
        }
        Ok(Value::Object(object))
    }

    fn array(&mut self, schema: &Map<String, Value>, name: &str, depth: usize) -> Result<Value, String> {
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
        let least = bound("minItems").unwrap_or(u64::from(depth < MAX_DEPTH / 2));
        let count =
            (least + self.below(2)).min(bound("maxItems").unwrap_or(u64::MAX)).max(bound("minItems").unwrap_or(0));
        let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let first: &[Value] = schema.get("prefixItems").and_then(Value::as_array).map_or(&[], Vec::as_slice);
        let anything = Value::Bool(true);
        let mut items: Vec<Value> = Vec::new();
        for index in 0..count {
            let place = usize::try_from(index).unwrap_or(usize::MAX);
            let of_item = first.get(place).or(schema.get("items")).unwrap_or(&anything);
            let mut item = self.make(of_item, name, depth + 1)?;
            for _ in 0..MAX_TRIES {
                if !unique || !items.contains(&item) {
                    break;
                }
                item = self.make(of_item, name, depth + 1)?;
            }
            let repeated = unique && items.contains(&item);
            match (repeated, index < bound("minItems").unwrap_or(0)) {
                (false, _) => items.push(item),
                (true, false) => break,
                (true, true) => return Err(format!("`{name}` needs {count} different items")),
            }
        }
        Ok(Value::Array(items))
    }

    fn integer(&mut self, schema: &Map<String, Value>, name: &str) -> Result<Value, String> {
        let step = schema.get("multipleOf").and_then(Value::as_i64).filter(|step| *step > 0).unwrap_or(1);
        let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and bounds beyond i64 are none")]
        let (least, most) = (
            bound("minimum")
                .map(|least| least.ceil() as i64)
                .max(bound("exclusiveMinimum").map(|b| b.floor() as i64 + 1)),
            match (bound("maximum"), bound("exclusiveMaximum")) {
                (None, None) => None,
                (most, below) => {
                    let most = most.map_or(i64::MAX, |most| most.floor() as i64);
                    Some(most.min(below.map_or(i64::MAX, |below| below.ceil() as i64 - 1)))
                }
            },
        );
        let least = least.unwrap_or_else(|| most.map_or(0, |most| most.min(0)));
        let most = most.unwrap_or(least.saturating_add(step.saturating_mul(100)));
        let first = least.div_euclid(step).saturating_add(i64::from(least.rem_euclid(step) != 0)).saturating_mul(step);
        if first > most {
            return Err(format!("no whole number fits `{name}`"));
        }
        let choices = most.abs_diff(first) / step.unsigned_abs();
        let chosen = i64::try_from(self.below(choices.saturating_add(1))).unwrap_or(0);
        Ok(json!(first.saturating_add(chosen.saturating_mul(step))))
    }

    fn number(&mut self, schema: &Map<String, Value>, name: &str) -> Result<Value, String> {
        let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
        if let Some(step) = bound("multipleOf").filter(|step| *step > 0.0) {
            let least = (bound("minimum").or(bound("exclusiveMinimum")).unwrap_or(0.0) / step).ceil();
            let value = if Some(least * step) == bound("exclusiveMinimum") { least + 1.0 } else { least } * step;
            return Number::from_f64(value).map(Value::Number).ok_or_else(|| format!("no number fits `{name}`"));
        }
        let least = bound("minimum").or(bound("exclusiveMinimum"));
        let most = bound("maximum").or(bound("exclusiveMaximum"));
        let (least, most) = match (least, most) {
            (Some(least), Some(most)) => (least, most),
            (Some(least), None) => (least, least + 100.0),
            (None, Some(most)) => (most - 100.0, most),
            (None, None) => (0.0, 100.0),
        };
        // Inside the bounds and never on them, in hundredths of what lies between.
        let part = f64::from(u32::try_from(1 + self.below(99)).unwrap_or(1)) / 100.0;
        let value = if least < most { least + (most - least) * part } else { least };
        Number::from_f64(value).map(Value::Number).ok_or_else(|| format!("no number fits `{name}`"))
    }

    fn string(&mut self, schema: &Map<String, Value>, name: &str) -> Result<String, String> {
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            return self.matching(pattern, schema, name);
        }
        if let Some(format) = schema.get("format").and_then(Value::as_str)
            && let Some(text) = self.formatted(format)
        {
            return Ok(text);
        }
        let mut text = self.words(name);
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
        let least = bound("minLength").unwrap_or(0);
        while text.chars().count() < least {
            text.push(' ');
            let more = self.words(name);
            text.push_str(&more);
        }
        if let Some(most) = bound("maxLength").filter(|most| text.chars().count() > *most) {
            let cut: String = text.chars().take(most).collect();
            let trimmed = cut.trim_end();
            text = if trimmed.chars().count() >= least { trimmed.to_owned() } else { cut };
        }
        Ok(text)
    }

    /// A short text that says what it is.
    fn words(&mut self, name: &str) -> String {
        const ADJECTIVES: [&str; 8] = ["brief", "calm", "clear", "even", "plain", "quiet", "steady", "sturdy"];
        let adjective = ADJECTIVES[usize::try_from(self.below(8)).unwrap_or(0)];
        format!("A {adjective} {} ({:04x})", name.replace(['_', '-'], " "), self.below(0x1_0000))
    }

    fn formatted(&mut self, format: &str) -> Option<String> {
        let number = self.below(28) + 1;
        Some(match format {
            "date" => format!("2026-01-{number:02}"),
            "date-time" => format!("2026-01-{number:02}T09:00:00Z"),
            "time" => format!("09:{number:02}:00Z"),
            "email" => format!("person{number}@example.com"),
            "uri" | "url" | "iri" | "uri-reference" => format!("https://example.com/{number}"),
            "hostname" => format!("host{number}.example.com"),
            "ipv4" => format!("192.0.2.{number}"),
            "ipv6" => format!("2001:db8::{number}"),
            "uuid" => {
                let random = (u128::from(self.draw()) << 64) | u128::from(self.draw());
                uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid().to_string()
            }
            _ => return None,
        })
    }

    fn matching(&mut self, pattern: &str, schema: &Map<String, Value>, name: &str) -> Result<String, String> {
        let cannot = || format!("it cannot make a text for the pattern `{pattern}` of `{name}`");
        let parsed = regex_syntax::Parser::new().parse(pattern).map_err(|_| cannot())?;
        let schema = Value::Object(schema.clone());
        for _ in 0..MAX_TRIES {
            let mut text = String::new();
            self.spell(&parsed, &mut text);
            if field::faults(&schema, &Value::from(text.clone())).is_empty() {
                return Ok(text);
            }
        }
        Err(cannot())
    }

    fn spell(&mut self, part: &Hir, text: &mut String) {
        match part.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
            HirKind::Class(class) => text.extend(self.character(class)),
            HirKind::Repetition(repetition) => {
                let least = u64::from(repetition.min);
                let most = repetition.max.map_or(least + MAX_EXTRA_REPETITIONS, u64::from);
                let extra = self.below(most.saturating_sub(least).min(MAX_EXTRA_REPETITIONS) + 1);
                (0..least + extra).for_each(|_| self.spell(&repetition.sub, text));
            }
            HirKind::Capture(capture) => self.spell(&capture.sub, text),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.spell(part, text)),
            HirKind::Alternation(parts) => {
                let chosen = usize::try_from(self.below(parts.len() as u64)).unwrap_or(0);
                self.spell(&parts[chosen], text);
            }
        }
    }

    /// A character of a class; letters, digits and signs of ASCII before others.
    fn character(&mut self, class: &Class) -> Option<char> {
        let ranges: Vec<(u32, u32)> = match class {
            Class::Unicode(class) => {
                class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
            }
            Class::Bytes(class) => {
                class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
            }
        };
        let includes = |character: char| ranges.iter().any(|(start, end)| (*start..=*end).contains(&character.into()));
        let mut choices: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').filter(|c| includes(*c)).collect();
        if choices.is_empty() {
            choices = (' '..='~').filter(|character| includes(*character)).collect();
        }
        if choices.is_empty() {
            return ranges.iter().find_map(|(start, end)| (*start..=*end).find_map(char::from_u32));
        }
        let chosen = self.below(choices.len() as u64);
        choices.get(usize::try_from(chosen).unwrap_or(0)).copied()
    }
}

/// Takes a key of one schema into another: properties and requirements add up, of the rest the newer holds.
fn take_in(schema: &mut Map<String, Value>, key: String, value: Value) {
    match (schema.get_mut(&key), value) {
        (Some(Value::Object(known)), Value::Object(more)) if key == "properties" => known.extend(more),
        (Some(Value::Array(known)), Value::Array(more)) if key == "required" || key == "allOf" => known.extend(more),
        (_, value) => {
            schema.insert(key, value);
        }
    }
}

/// The type that a schema asks for: the first one that is not null, or what its keys are about.
fn type_of(schema: &Map<String, Value>) -> &str {
    match schema.get("type") {
        Some(Value::String(one)) => return one,
        Some(Value::Array(many)) => {
            let named: Vec<&str> = many.iter().filter_map(Value::as_str).collect();
            return named.iter().copied().find(|name| *name != "null").unwrap_or("null");
        }
        _ => {}
    }
    let has = |keys: &[&str]| keys.iter().any(|key| schema.contains_key(*key));
    if has(&["properties", "required", "additionalProperties"]) {
        "object"
    } else if has(&["items", "prefixItems", "minItems", "maxItems"]) {
        "array"
    } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
        "number"
    } else {
        "string"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "a failed expectation fails the test")]
    use super::*;

    fn sample(seed: u8, schema: &Value) -> Result<Value, String> {
        Sampler::new([seed; 32], schema).value()
    }

    #[test]
    fn a_value_satisfies_its_schema_for_every_seed_and_is_the_same_for_the_same() {
        let schemas = [
            json!(true),
            json!({}),
            json!({"type": "object", "required": ["notes", "risk"], "properties": {
                "notes": {"type": "string", "minLength": 40, "maxLength": 60},
                "risk": {"type": "integer", "minimum": 0, "maximum": 10},
                "owner": {"type": ["string", "null"]}}, "additionalProperties": false}),
            json!({"type": "object", "required": ["extra"]}),
            json!({"enum": ["low", "high", 3]}),
            json!({"const": {"a": 1}}),
            json!({"type": "string", "maxLength": 3}),
            json!({"type": "string", "pattern": "^[a-z][a-z0-9-]{2,8}$"}),
            json!({"type": "string", "pattern": "^(feat|fix)(\\([a-z]+\\))?: .+$"}),
            json!({"type": "string", "pattern": "^\\d{4}-\\d{2}$"}),
            json!({"type": "string", "pattern": "^v\\d+\\.\\d+\\.\\d+$", "maxLength": 12}),
            json!({"type": "string", "format": "date"}),
            json!({"type": "string", "format": "date-time"}),
            json!({"type": "string", "format": "time"}),
            json!({"type": "string", "format": "email"}),
            json!({"type": "string", "format": "uri"}),
            json!({"type": "string", "format": "uuid"}),
            json!({"type": "string", "format": "ipv4"}),
            json!({"type": "string", "format": "ipv6"}),
            json!({"type": "string", "format": "hostname"}),
            json!({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}),
            json!({"type": "integer", "minimum": 7, "multipleOf": 5}),
            json!({"type": "integer", "maximum": -4}),
            json!({"type": "integer", "minimum": -1, "maximum": 1}),
            json!({"type": "number", "minimum": 0, "maximum": 1}),
            json!({"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5}),
            json!({"type": "boolean"}),
            json!({"type": "null"}),
            json!({"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": true}),
            json!({"type": "array", "items": {"enum": ["a"]}, "uniqueItems": true}),
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 0}),
            json!({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}], "minItems": 2}),
            json!({"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]}),
            json!({"oneOf": [{"type": "integer"}, {"type": "string"}]}),
            json!({"type": "object", "properties": {"a": {"type": "integer"}},
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            json!({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"properties": {"b": {"type": "string"}}, "required": ["b"]}]}),
            json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "required": ["name"],
                "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}}}),
        ];
        for schema in &schemas {
            for seed in 0..20 {
                let value = sample(seed, schema).unwrap_or_else(|reason| panic!("{schema}: {reason}"));
                assert_eq!(sample(seed, schema), Ok(value));
            }
        }
        let differing = json!({"type": "integer", "minimum": 0, "maximum": 1_000_000});
        assert_ne!(sample(1, &differing), sample(2, &differing));
    }

    #[test]
    fn what_cannot_be_made_is_said() {
        let cases = [
            (json!(false), "nothing satisfies the schema of `value`"),
            (json!({"type": "integer", "minimum": 2, "maximum": 1}), "no whole number fits `value`"),
            (
                json!({"type": "string", "pattern": "^(?=x)y$"}),
                "it cannot make a text for the pattern `^(?=x)y$` of `value`",
            ),
            (json!({"$ref": "https://example.com/schema"}), "\"https://example.com/schema\" is not inside the schema"),
            (
                json!({"type": "array", "items": {"const": 1}, "minItems": 2, "uniqueItems": true}),
                "`value` needs 2 different items",
            ),
            (
                json!({"type": "string", "not": {"type": "string"}}),
                "what it made does not satisfy it (`` does not have the right form)",
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(sample(0, &schema), Err(expected.to_owned()), "{schema}");
        }
    }
}
