//! JSON Schema (2020-12) of every kind of file, derived from the types that read it, so that they cannot drift.

use std::sync::{LazyLock, OnceLock};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::agent::Agent;
use super::policy::Policy;
use super::process::ProcessHeader;
use super::prompt::PromptHeader;
use super::settings::FlowSettings;
use super::step::{
    AgentTask, AiGenerate, ApiCall, Foreach, Form, Gateway, HumanApproval, McpCall, Notify, Set, StepCommon, StepType,
    SubProcess, Wait, Workflow,
};
use super::test::ProcessTest;
use super::tool::Tool;
use crate::source::Schema;

/// How many steps a process may have: LANGUAGE says 1 to 1,000.
pub const MAX_STEPS: usize = 1_000;

/// The kinds that `flowctl schema` knows.
pub const KINDS: [&str; 7] = ["process", "settings", "agent", "tool", "policy", "prompt", "test"];

/// The schema of a kind of file, for editors; nothing where the kind is unknown.
pub fn of_kind(kind: &str) -> Option<Value> {
    let schema = match kind {
        "process" => process(),
        "settings" => plain::<FlowSettings>(),
        "agent" => plain::<Agent>(),
        "tool" => plain::<Tool>(),
        "policy" => plain::<Policy>(),
        "prompt" => plain::<PromptHeader>(),
        "test" => plain::<ProcessTest>(),
        _ => return None,
    };
    Some(schema)
}

/// The schema of a type, `null` alternatives of optional keys left out: a key that is not wanted is not written.
pub fn plain<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.transforms.clear();
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    strip_null(&mut schema);
    schema
}

fn strip_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(options)) = map.get_mut("anyOf") {
                options.retain(|option| option != &json!({"type": "null"}));
                if let [only] = options.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    if let Value::Object(only) = only {
                        only.into_iter().for_each(|(key, value)| {
                            map.entry(key).or_insert(value);
                        });
                    }
                }
            }
            if map.get("default") == Some(&Value::Null) {
                map.remove("default");
            }
            map.values_mut().for_each(strip_null);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_null),
        _ => {}
    }
}

/// A JSON Schema, or a path below `.flow/schemas/`.
pub(super) fn schema_or_path(_: &mut SchemaGenerator) -> schemars::Schema {
    json_schema!({
        "type": ["object", "string", "boolean"],
        "description": "A JSON Schema (2020-12), or a path below .flow/schemas/."
    })
}

/// The schema of one type of step: what every step may say and the fields of its type, nothing else.
pub fn of_step(step_type: StepType) -> Value {
    of_own(step_type, kind_schema(step_type))
}

/// The same, of the schema of its own fields.
fn of_own(step_type: StepType, own: Value) -> Value {
    static COMMON: LazyLock<Value> = LazyLock::new(plain::<StepCommon>);
    let mut schema = COMMON.clone();
    merge(&mut schema, own);
    if step_type == StepType::Foreach {
        merge(
            &mut schema,
            json!({
                "properties": {"steps": {"type": "array", "minItems": 1, "description": "The body: run once per item."}},
                "required": ["steps"]
            }),
        );
    }
    schema
}

fn kind_schema(step_type: StepType) -> Value {
    match step_type {
        StepType::AgentTask => plain::<AgentTask>(),
        StepType::AiGenerate => plain::<AiGenerate>(),
        StepType::HumanApproval => plain::<HumanApproval>(),
        StepType::Form => plain::<Form>(),
        StepType::Gateway => plain::<Gateway>(),
        StepType::ApiCall => plain::<ApiCall>(),
        StepType::McpCall => plain::<McpCall>(),
        StepType::Workflow => plain::<Workflow>(),
        StepType::Process => plain::<SubProcess>(),
        StepType::Foreach => plain::<Foreach>(),
        StepType::Wait => plain::<Wait>(),
        StepType::Set => plain::<Set>(),
        StepType::Notify => plain::<Notify>(),
    }
}

/// The keys that belong to a type of step beyond those of every step.
pub fn keys_of_kind(step_type: StepType) -> Vec<String> {
    keys_of(&kind_schema(step_type))
}

fn keys_of(schema: &Value) -> Vec<String> {
    let keys = schema.get("properties").and_then(Value::as_object);
    keys.map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
}

/// Adds properties, required keys and definitions of `more` to `schema`.
fn merge(schema: &mut Value, more: Value) {
    let (Value::Object(schema), Value::Object(more)) = (schema, more) else { return };
    for (key, value) in more {
        match (key.as_str(), schema.get_mut(&key), value) {
            ("properties" | "$defs", Some(Value::Object(known)), Value::Object(added)) => known.extend(added),
            ("required", Some(Value::Array(known)), Value::Array(added)) => known.extend(added),
            ("properties" | "$defs" | "required", None, value) => {
                schema.insert(key, value);
            }
            ("title" | "description", _, value) => {
                schema.insert(key, value);
            }
            _ => {}
        }
    }
}

/// The schema of a process without what its steps hold, for reading it part by part.
fn header() -> Value {
    let mut schema = plain::<ProcessHeader>();
    merge(
        &mut schema,
        json!({
            "properties": {"steps": {"type": "array", "minItems": 1, "maxItems": MAX_STEPS, "description": "What is done."}},
            "required": ["steps"]
        }),
    );
    schema
}

/// The schema of a whole process, for editors: a step's `type` picks its keys.
fn process() -> Value {
    let mut schema = header();
    let mut definitions = Map::new();
    let mut choices = Vec::new();
    for step_type in StepType::ALL {
        let mut step = of_step(step_type);
        if let Some(Value::Object(own)) = step.as_object_mut().and_then(|step| step.remove("$defs")) {
            definitions.extend(own);
        }
        if let Some(step) = step.as_object_mut() {
            step.remove("$schema");
        }
        if step_type == StepType::Foreach
            && let Some(steps) = step.pointer_mut("/properties/steps").and_then(Value::as_object_mut)
        {
            steps.insert("items".to_owned(), json!({"$ref": "#/$defs/Step"}));
        }
        let name = format!("Step_{}", step_type.as_str());
        choices.push(json!({
            "if": {"required": ["type"], "properties": {"type": {"const": step_type.as_str()}}},
            "then": {"$ref": format!("#/$defs/{name}")}
        }));
        definitions.insert(name, step);
    }
    let types: Vec<&str> = StepType::ALL.iter().map(|step_type| step_type.as_str()).collect();
    definitions.insert(
        "Step".to_owned(),
        json!({
            "type": "object",
            "required": ["id", "type"],
            "properties": {"type": {"enum": types, "description": "The step's type."}},
            "allOf": choices
        }),
    );
    merge(&mut schema, json!({"$defs": definitions}));
    if let Some(steps) = schema.pointer_mut("/properties/steps").and_then(Value::as_object_mut) {
        steps.insert("items".to_owned(), json!({"$ref": "#/$defs/Step"}));
    }
    schema
}

/// Compiled schemas, each made when it is first needed.
pub(super) mod compiled {
    use super::{
        Agent, FlowSettings, LazyLock, OnceLock, Policy, ProcessTest, PromptHeader, Schema, StepCommon, StepType, Tool,
        header, keys_of, kind_schema, of_own, plain,
    };

    macro_rules! compiled {
        ($($(#[$meta:meta])* $name:ident = $schema:expr;)*) => {
            $(pub(in crate::definition) static $name: LazyLock<Schema> = LazyLock::new(|| Schema::derived(&$schema));)*
        };
    }

    compiled! {
        HEADER = header();
        SETTINGS = plain::<FlowSettings>();
        AGENT = plain::<Agent>();
        TOOL = plain::<Tool>();
        POLICY = plain::<Policy>();
        PROMPT = plain::<PromptHeader>();
        TEST = plain::<ProcessTest>();
        COMMON = {
            let mut common = plain::<StepCommon>();
            // A step whose type is not known may have any keys: only those of every step are looked at.
            if let Some(common) = common.as_object_mut() {
                common.remove("additionalProperties");
            }
            common
        };
    }

    /// What reads one type of step.
    pub(in crate::definition) struct OfStep {
        /// Its schema.
        pub(in crate::definition) schema: Schema,
        /// Its keys beyond those of every step.
        pub(in crate::definition) own_keys: Vec<String>,
    }

    /// What reads a type of step.
    pub(in crate::definition) fn step(step_type: StepType) -> &'static OfStep {
        static STEPS: [OnceLock<OfStep>; StepType::ALL.len()] = [const { OnceLock::new() }; StepType::ALL.len()];
        let place = StepType::ALL.iter().position(|known| *known == step_type).unwrap_or_default();
        STEPS[place].get_or_init(|| {
            let own = kind_schema(step_type);
            let mut own_keys = keys_of(&own);
            own_keys.extend((step_type == StepType::Foreach).then(|| "steps".to_owned()));
            OfStep { schema: Schema::derived(&of_own(step_type, own)), own_keys }
        })
    }
}
