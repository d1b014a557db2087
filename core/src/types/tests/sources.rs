//! Where types come from: schemas, fields, steps, sub-processes, foreach, triggers, and what an editor is told.

use serde_json::{Value, json};

use crate::definition::repository::Repository;
use crate::types::{Type, Types};

fn of_schema(schema: Value) -> String {
    Type::of_schema(&schema).details()
}

#[test]
fn schemas() {
    let parts = [
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"]}}, "required": ["a"]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/b"}}, "b": {"const": 5}}}),
        json!({"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "number"}}, "required": ["a"]}]}),
        json!({"allOf": [{"properties": {"a": {"type": "number"}}}, {"properties": {"a": {"type": "integer"}}}]}),
        json!({"type": "object", "properties": {"a": true, "b": true}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        json!({"oneOf": [{"type": "string"}, {"type": "object", "properties": {"a": {"type": "boolean"}}}]}),
        json!({"enum": ["a", "b", null, 1]}),
        json!({"type": "string", "enum": ["a", "b", 1]}),
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}),
        json!({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "boolean"}}),
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
        json!({"type": "object"}),
        json!({"properties": {"next": {"$ref": "#"}}}),
        json!({"$ref": "elsewhere.json"}),
        json!({"not": {"type": "string"}}),
        json!(true),
        json!(false),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}),
    ];
    let shown: Vec<String> = parts.into_iter().map(of_schema).collect();
    insta::assert_snapshot!(shown.join("\n---\n"), @r#"
    a mapping with `a` and `b`
    a: a text
    b?: a whole number or null
    ---
    a list of whole numbers
    ---
    a mapping with `a` and `b`
    a: a text
    b?: a number
    ---
    a mapping with `a`
    a?: a whole number
    ---
    a mapping with `a` and `b`
    a: a value of any type
    b?: a value of any type
    a?: a value of any type
    b: a value of any type
    ---
    a text or a mapping with `a`
    a?: true or false
    ---
    `a` or `b`, null or a whole number
    ---
    `a` or `b`
    ---
    a list
    ---
    a list of texts or true or false
    ---
    a mapping to texts
    ---
    a mapping
    ---
    a mapping with `next`
    next?: a mapping with `next`
    ---
    a value of any type
    ---
    a value of any type
    ---
    a value of any type
    ---
    a value of any type
    ---
    a value of any type
    "#);
}

/// A schema whose references double at each step, and one that is nested deeply: both end.
#[test]
fn hostile_schemas() {
    let mut definitions = serde_json::Map::new();
    for level in 0..200 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        let both = json!({"properties": {"a": next, "b": next}, "allOf": [next, next], "anyOf": [next, next]});
        definitions.insert(format!("d{level}"), both);
    }
    Type::of_schema(&json!({"$ref": "#/$defs/d0", "$defs": definitions}));
    let one = |at: usize| json!({"properties": {format!("a{at}"): true, format!("b{at}"): true}});
    let many: Vec<Value> = (0..20_000).map(one).collect();
    Type::of_schema(&json!({"allOf": many}));
    let properties: serde_json::Map<String, Value> = (0..10_000).map(|at| (format!("a{at}"), json!(true))).collect();
    Type::of_schema(&json!({"properties": properties, "anyOf": many, "allOf": [{"required": ["a1"]}]}));
    let mut deep = json!({"type": "string"});
    for _ in 0..100 {
        deep = json!({"type": "array", "items": deep});
    }
    assert!(Type::of_schema(&deep).to_string().starts_with("a list of lists"));
}

const RELEASE: &str = r#"name: release
version: 1
triggers:
  - pull_request: {actions: [opened, labeled]}
inputs:
  audience: {type: string, enum: [public, internal], default: public, description: Who reads it.}
  regions: {type: list, items: {type: string}, default: []}
context:
  page: https://status.example
  limits: {low: 1, high: 5}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: write
    output_schema:
      type: object
      required: [notes, risk]
      properties:
        notes: {type: string, description: The notes.}
        risk: {type: integer}
        authors: {type: array, items: {type: object, properties: {login: {type: string}}}}
  - id: facts
    type: set
    depends_on: draft
    values:
      risky: "{{ steps.draft.output.risk > 5 }}"
      next: "{{ steps.draft.output.risk + 1 }}"
      text: "risk {{ steps.draft.output.risk }}"
      list: ["{{ steps.draft.output.risk }}", 2]
      nested: {a: "{{ inputs.audience }}", b: 1.5, c: null}
  - id: more
    type: set
    depends_on: facts
    values: {again: "{{ steps.facts.output }}", twice: "{{ steps.facts.output.next * 2 }}"}
  - id: each
    type: foreach
    depends_on: more
    items: "{{ inputs.regions }}"
    as: region
    steps:
      - id: inner
        type: set
        values: {name: "{{ region | upper }}", place: "{{ index }}"}
    result: "{{ steps.inner.output }}"
  - id: child
    type: process
    depends_on: each
    process: notes
  - id: fetch
    type: api_call
    depends_on: child
    url: https://api.example
    expect: {schema: things.json}
  - id: ask
    type: form
    depends_on: fetch
    fields:
      ok: {type: boolean, required: true}
      why: {type: string, title: Why}
  - id: see
    type: set
    depends_on: ask
    values: {x: "{{ PROBE }}"}
outputs:
  notes: "{{ steps.draft.output.notes }}"
"#;

const NOTES: &str = r#"name: notes
version: 1
steps:
  - id: a
    type: set
    values: {count: "{{ 1 + 1 }}"}
  - id: loop
    type: process
    process: release
outputs:
  count: "{{ steps.a.output.count }}"
  text: "{{ steps.a.output.count }}!"
"#;

fn repository(probe: &str) -> Repository {
    let notes =
        NOTES.split("  - id: loop").next().unwrap().to_owned() + "outputs:" + NOTES.split("outputs:").nth(1).unwrap();
    Repository::read([
        (".flow/processes/release.yaml".to_owned(), RELEASE.replace("PROBE", probe)),
        (".flow/processes/notes.yaml".to_owned(), notes),
        (".flow/schemas/things.json".to_owned(), r#"{"type": "array", "items": {"type": "integer"}}"#.to_owned()),
    ])
}

/// What an expression gives in the last step, and what is wrong with it.
fn at_the_end(probe: &str) -> String {
    let repository = repository(probe);
    let types = Types::of(&repository);
    let process = types.process(".flow/processes/release.yaml").unwrap();
    let place = process.texts().texts.iter().position(|text| text.owner.id() == Some("see")).unwrap();
    let read = &process.read(&types)[place];
    let wrong = read.mistakes.iter().map(|mistake| format!(" — {}", mistake.message)).collect::<String>();
    format!("{probe}: {}{wrong}", read.of)
}

#[test]
fn values_of_a_process() {
    let shown: Vec<String> = [
        "inputs.audience",
        "inputs.regions",
        "context.page",
        "context.limits.high",
        "context.limits.hihg",
        "execution.version",
        "trigger.type",
        "trigger.actor",
        "trigger.pull_request.labels",
        "trigger.payload.action",
        "trigger.payload.pull_request.user.login",
        "trigger.payload.pull_request.usr",
        "trigger.payload.pull_request.milestone",
        "trigger.payload.pull_request.new_field",
        "trigger.payload.draft",
        "trigger.payload.repository.full_name",
        "steps.draft.output",
        "steps.draft.output.authors[0].login",
        "steps.draft.status",
        "steps.draft.error.mesage",
        "steps.facts.output.risky",
        "steps.facts.output.next",
        "steps.facts.output.text",
        "steps.facts.output.list",
        "steps.facts.output.nested",
        "steps.more.output.again.nested.a",
        "steps.more.output.twice",
        "steps.each.output",
        "steps.each.output[0].nam",
        "steps.child.output",
        "steps.child.output.cout",
        "steps.fetch.output.body",
        "steps.fetch.output.headers.etag",
        "steps.ask.output",
        "steps.ask.output.why",
        "steps.inner.output.name",
    ]
    .into_iter()
    .map(at_the_end)
    .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    inputs.audience: `public` or `internal`
    inputs.regions: a list of texts
    context.page: a text
    context.limits.high: a whole number
    context.limits.hihg: a value of any type — `context.limits` has no field `hihg`
    execution.version: a whole number
    trigger.type: `pull_request` or `process`
    trigger.actor: a text
    trigger.pull_request.labels: a list of texts
    trigger.payload.action: a text
    trigger.payload.pull_request.user.login: a text
    trigger.payload.pull_request.usr: a value of any type — `trigger.payload.pull_request` has no field `usr`
    trigger.payload.pull_request.milestone: a mapping with `url`, `html_url`, `labels_url`, `id`, `node_id`, `number` … or null
    trigger.payload.pull_request.new_field: a value of any type
    trigger.payload.draft: true or false
    trigger.payload.repository.full_name: a text
    steps.draft.output: a mapping with `notes`, `risk` and `authors`
    steps.draft.output.authors[0].login: a text — `steps.draft.output.authors` may be missing
    steps.draft.status: `completed`, `skipped`, `cancelled` or `failed`
    steps.draft.error.mesage: a value of any type — `steps.draft.error` has no field `mesage`
    steps.facts.output.risky: true or false
    steps.facts.output.next: a whole number
    steps.facts.output.text: a text
    steps.facts.output.list: a list of whole numbers
    steps.facts.output.nested: a mapping with `a`, `b` and `c`
    steps.more.output.again.nested.a: `public` or `internal`
    steps.more.output.twice: a whole number
    steps.each.output: a list of mappings with `name` and `place`
    steps.each.output[0].nam: a value of any type — `steps.each.output[0]` has no field `nam`
    steps.child.output: a mapping with `count` and `text`
    steps.child.output.cout: a value of any type — `steps.child.output` has no field `cout`
    steps.fetch.output.body: a list of whole numbers
    steps.fetch.output.headers.etag: a text
    steps.ask.output: a mapping with `ok` and `why`
    steps.ask.output.why: a text — `steps.ask.output.why` may be missing
    steps.inner.output.name: a value of any type
    "#);
}

#[test]
fn circles_end_in_the_unknown() {
    let repository = Repository::read([
        (".flow/processes/release.yaml".to_owned(), RELEASE.replace("PROBE", "steps.child.output.count")),
        (".flow/processes/notes.yaml".to_owned(), NOTES.to_owned()),
    ]);
    let types = Types::of(&repository);
    let process = types.process_named("release").unwrap();
    let place = process.texts().texts.iter().position(|text| text.owner.id() == Some("see")).unwrap();
    assert!(process.read(&types)[place].of.is_unknown());
    let itself = "name: a\nversion: 1\nsteps:\n  - {id: b, type: set, values: {x: '{{ steps.c.output.x }}'}}\n  - {id: c, type: set, values: {x: '{{ steps.b.output.x }}'}}\n";
    let repository = Repository::read([(".flow/processes/a.yaml".to_owned(), itself.to_owned())]);
    let types = Types::of(&repository);
    assert!(types.process_named("a").unwrap().read(&types).iter().all(|read| read.of.is_unknown()));
}

/// A thousand steps, each computed from the one before it, the last written first.
#[test]
fn long_chains_of_steps() {
    let mut text = "name: a\nversion: 1\nsteps:\n".to_owned();
    for step in (1..1000).rev() {
        let before = step - 1;
        text += &format!(
            "  - {{id: s{step}, type: set, depends_on: s{before}, values: {{x: '{{{{ steps.s{before}.output.x + 1 }}}}'}}}}\n"
        );
    }
    text += "  - {id: s0, type: set, values: {x: 1}}\noutputs: {x: '{{ steps.s999.output.x }}'}\n";
    let repository = Repository::read([(".flow/processes/a.yaml".to_owned(), text)]);
    let types = Types::of(&repository);
    assert_eq!(types.process_named("a").unwrap().outputs(&types).details(), "a mapping with `x`\nx: a whole number");
}

#[test]
fn what_an_editor_is_told() {
    let mut shown = Vec::new();
    // `^` is where the cursor stands.
    for probe in [
        "steps.dra^ft.output.notes",
        "steps.draft.output.no^tes",
        "inputs.aud^ience",
        "(steps.draft.ou^tput.risk + 1) > 3",
        "steps.draft.output.risk + 1 >^ 3",
    ] {
        let repository = repository(&probe.replace('^', ""));
        let path = ".flow/processes/release.yaml";
        let text = repository.files[path].source.text().to_owned();
        let at = text.rfind(&probe.replace('^', "")).unwrap() + probe.find('^').unwrap();
        let told = Types::of(&repository).type_at(path, at);
        let told = told.map(|told| format!("`{}` {} {:?}", &text[told.span.range()], told.of, told.description));
        shown.push(format!("{probe}: {}", told.unwrap_or_default()));
    }
    for probe in [
        "steps.draft.output.^",
        "steps.draft.output.no^",
        "steps.draft.^",
        "steps.^",
        "^",
        "inputs.^",
        "inp^",
        "1 + inputs.a^ ~ 'x'",
        "steps.draft.output.authors[0].^",
        "trigger.pull_request.^",
        "(steps.draft.output | default({})).^",
        "'text.^",
        "nothing.at.all.^",
    ] {
        let repository = repository(&probe.replace('^', ""));
        let path = ".flow/processes/release.yaml";
        let text = repository.files[path].source.text().to_owned();
        let before = format!("{{{{ {}", &probe[..probe.find('^').unwrap()]);
        let at = text.rfind(&before).unwrap() + before.len();
        let fields = Types::of(&repository).fields_at(path, at);
        let fields: Vec<String> = fields.iter().map(|field| format!("{}: {}", field.name, field.of)).collect();
        shown.push(format!("{probe}: {}", fields.join(", ")));
    }
    insta::assert_snapshot!(shown.join("\n"), @r#"
    steps.dra^ft.output.notes: `draft` a mapping with `output`, `status`, `error` and `attempts` None
    steps.draft.output.no^tes: `notes` a text Some("The notes.")
    inputs.aud^ience: `audience` `public` or `internal` Some("Who reads it.")
    (steps.draft.ou^tput.risk + 1) > 3: `output` a mapping with `notes`, `risk` and `authors` Some("What the step gave.")
    steps.draft.output.risk + 1 >^ 3: `steps.draft.output.risk + 1 > 3` true or false None
    steps.draft.output.^: notes: a text, risk: a whole number, authors: a list of mappings with `login`
    steps.draft.output.no^: notes: a text, risk: a whole number, authors: a list of mappings with `login`
    steps.draft.^: output: a mapping with `notes`, `risk` and `authors`, status: `completed`, `skipped`, `cancelled` or `failed`, error: null or a mapping with `class`, `message`, `step` and `retry_after_ms`, attempts: a whole number
    steps.^: ask: a mapping with `output`, `status`, `error` and `attempts`, child: a mapping with `output`, `status`, `error` and `attempts`, draft: a mapping with `output`, `status`, `error` and `attempts`, each: a mapping with `output`, `status`, `error` and `attempts`, facts: a mapping with `output`, `status`, `error` and `attempts`, fetch: a mapping with `output`, `status`, `error` and `attempts`, inner: a mapping with `output`, `status`, `error` and `attempts`, more: a mapping with `output`, `status`, `error` and `attempts`, see: a mapping with `output`, `status`, `error` and `attempts`
    ^: inputs: a mapping with `audience` and `regions`, context: a mapping with `page` and `limits`, trigger: a mapping with `type`, `actor`, `payload` and `pull_request`, execution: a mapping with `id`, `process`, `version`, `revision`, `repository`, `url` …, steps: a mapping
    inputs.^: audience: `public` or `internal`, regions: a list of texts
    inp^: inputs: a mapping with `audience` and `regions`, context: a mapping with `page` and `limits`, trigger: a mapping with `type`, `actor`, `payload` and `pull_request`, execution: a mapping with `id`, `process`, `version`, `revision`, `repository`, `url` …, steps: a mapping
    1 + inputs.a^ ~ 'x': audience: `public` or `internal`, regions: a list of texts
    steps.draft.output.authors[0].^: login: a text
    trigger.pull_request.^: number: a whole number, title: a text, author: a text, head_sha: a text, head: a text, base: a text, labels: a list of texts, url: a text
    (steps.draft.output | default({})).^: notes: a text, risk: a whole number, authors: a list of mappings with `login`
    'text.^: 
    nothing.at.all.^:
    "#);
}

#[test]
fn an_editor_is_told_of_prompts_and_of_names_that_a_text_gave_itself() {
    let prompt = "---\nvariables:\n  who: {type: string, required: true, description: Who is greeted.}\n---\nHello {{ variables. }}\n";
    let loops = RELEASE.replace("prompt: write", "prompt: \"{% for r in inputs.regions %}{{ r. }}{% endfor %}{% for a in trigger.payload.pull_request.labels %}{{ a. }}{% endfor %}\"");
    let repository = Repository::read([
        (".flow/prompts/hello.md".to_owned(), prompt.to_owned()),
        (".flow/processes/release.yaml".to_owned(), loops.clone()),
    ]);
    let types = Types::of(&repository);
    let names =
        |path: &str, at: usize| types.fields_at(path, at).into_iter().map(|field| field.name).collect::<Vec<_>>();
    assert_eq!(names(".flow/prompts/hello.md", prompt.find("variables. ").unwrap() + 10), ["who"]);
    let told = types.type_at(".flow/prompts/hello.md", 3);
    assert!(told.is_none());
    assert!(names(".flow/processes/release.yaml", loops.find("r. }}").unwrap() + 2).is_empty());
    assert!(names(".flow/processes/release.yaml", 3).is_empty());
}
