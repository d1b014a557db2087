//! Random processes with every construct that guarantees look into: items, sub-processes, attempts, people, time and money.

/// Numbers from a seed, the same each time. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators" (OOPSLA 2014), SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(super) fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.roll(texts.len() as u64) as usize]
    }
}

/// The tools of the agent, by whether people are asked before they are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tools {
    None,
    AskingNobody,
    Asking,
}

/// A process and another one that it may run.
pub(super) struct Random {
    shared: String,
    defaults: String,
    yes: bool,
    story: String,
    child_defaults: String,
    child: String,
    pub(super) tools: Tools,
    /// What the policy says that approvals name, beside its name.
    policy: String,
    /// Whether a policy states what `story` promises.
    is_demanded: bool,
}

/// Tools, the second of which asks before each call.
const TOOLS: [(&str, &str); 2] = [
    ("tools/hub.yaml", "name: hub\ntype: mcp\nurl: http://127.0.0.1/mcp\napproval: never\n"),
    ("tools/desk.yaml", "name: desk\ntype: mcp\nurl: http://127.0.0.1/mcp\napproval: always\n"),
];

impl Random {
    /// The files below `.flow/`, with these guarantees of both processes.
    pub(super) fn files(&self, of_story: &[String], of_child: &[String]) -> Vec<(&'static str, String)> {
        let tools = match self.tools {
            Tools::None => "[]",
            Tools::AskingNobody => "[hub]",
            Tools::Asking => "[hub, desk]",
        };
        let (own, demanded) = if self.is_demanded { (&[][..], of_story) } else { (of_story, &[][..]) };
        let mut files = vec![
            (
                "agents/helper.yaml",
                format!("name: helper\nmodel: some/model\ntools: {tools}\nbudget: {{max_cost: 0.75 USD}}\n"),
            ),
            ("flow.yaml", format!("defaults: {{{}}}\n", self.shared)),
            ("policies/base.yaml", "name: base\napprovers: {users: [ann]}\n".to_owned()),
            ("policies/guard.yaml", format!("name: guard\n{}", self.policy)),
            ("processes/child.yaml", self.child(of_child)),
            ("processes/story.yaml", self.story(own)),
        ];
        files.extend(TOOLS.map(|(path, text)| (path, text.to_owned())));
        if !demanded.is_empty() {
            files.push(("policies/demands.yaml", format!("name: demands\napplies_to: [story]\n{}", stated(demanded))));
        }
        files
    }

    fn story(&self, guarantees: &[String]) -> String {
        self.text("story", "pull_request: {}", &self.defaults, guarantees, &self.story)
    }

    /// A process that nobody gives inputs but who runs it.
    fn child(&self, guarantees: &[String]) -> String {
        let steps = format!("{}outputs: {{out: '{{{{ steps.c0.output | default(1) }}}}'}}\n", self.child);
        self.text("child", "push: {}", &self.child_defaults, guarantees, &steps)
    }

    fn text(&self, name: &str, trigger: &str, defaults: &str, guarantees: &[String], steps: &str) -> String {
        let guarantees = stated(guarantees);
        format!(
            "name: {name}\nversion: 1\ntriggers: [{{{trigger}}}]\ndefaults: {{{defaults}}}\ninputs: {{a: {{type: boolean, default: {}}}, text: {{type: string, default: none}}, names: {{type: list, max_items: 2, default: [x, y]}}}}\n{guarantees}steps:\n{steps}",
            self.yes
        )
    }
}

fn stated(guarantees: &[String]) -> String {
    let listed: String = guarantees.iter().map(|guarantee| format!("- {guarantee}\n")).collect();
    if listed.is_empty() { listed } else { format!("guarantees:\n{listed}") }
}

/// Makes one.
pub(super) fn random(dice: &mut Dice) -> Random {
    let defaults = [
        "",
        "",
        "",
        "retry: {max_attempts: 2, initial: 1m}",
        "execution_timeout: 2h",
        "execution_budget: {max_cost: 1.50 USD}",
        "timeout: 50m",
        "timeout: 25m, retry: {max_attempts: 2, initial: 1m, on: [timeout, network]}",
    ];
    let list = |dice: &mut Dice, own: Own<'_>| {
        let count = 2 + dice.roll(4) as usize;
        let steps = steps(dice, own, count);
        steps.into_iter().map(|step| format!("- {step}\n")).collect::<String>()
    };
    let shared = dice.one_of(&["", "", "", "timeout: 40m", "execution_timeout: 3h", "retry: {max_attempts: 2}"]);
    let [own, of_child] = [(); 2].map(|()| dice.one_of(&defaults));
    let is_timed = |own: &str| [own, shared].iter().any(|said| said.starts_with("timeout"));
    Random {
        shared: shared.to_owned(),
        defaults: own.to_owned(),
        yes: dice.roll(2) == 0,
        story: list(dice, Own { prefix: "s", depth: 0, calls: true, is_timed: is_timed(own) }),
        child_defaults: of_child.to_owned(),
        child: list(dice, Own { prefix: "c", depth: 0, calls: false, is_timed: is_timed(of_child) }),
        tools: [Tools::None, Tools::AskingNobody, Tools::Asking][dice.roll(3) as usize],
        policy: dice
            .one_of(&[
                "approvers: {users: [bob]}\n",
                "extends: [base]\napprovers: {users: [bob]}\n",
                "extends: [base]\nescalate: [{after: 25m, to: {users: [bob]}}]\n",
            ])
            .to_owned(),
        is_demanded: dice.roll(3) == 0,
    }
}

/// What steps of one list share.
#[derive(Clone, Copy)]
struct Own<'o> {
    /// What their ids begin with.
    prefix: &'o str,
    depth: usize,
    /// Whether they may run the other process.
    calls: bool,
    /// Whether `defaults` end what says no `timeout` itself.
    is_timed: bool,
}

/// A list of steps; those that undo stand behind it.
fn steps(dice: &mut Dice, own: Own<'_>, count: usize) -> Vec<String> {
    let prefix = own.prefix;
    let mut steps = Vec::new();
    let mut undoing = Vec::new();
    for index in 0..count {
        let mut before: Vec<usize> =
            (0..dice.roll(3)).filter(|_| index > 0).map(|_| dice.roll(index as u64) as usize).collect();
        before.sort_unstable();
        before.dedup();
        let id = format!("{prefix}{index}");
        let waits: Vec<String> = before.iter().map(|before| format!("{prefix}{before}")).collect();
        let read = |dice: &mut Dice| match (dice.roll(6), waits.first()) {
            (0, _) => "{{ trigger.pull_request.title }}".to_owned(),
            (1, _) => "{{ inputs.text }}".to_owned(),
            (2..=4, Some(step)) => format!("{{{{ steps.{step}.output | default(\"none\") }}}}"),
            _ => "fixed".to_owned(),
        };
        let when = match (dice.roll(10), waits.first()) {
            (0, _) => "when: '{{ inputs.a }}', ".to_owned(),
            (1, _) => "when: '{{ not inputs.a }}', ".to_owned(),
            (2, Some(step)) => format!("when: '{{{{ steps.{step}.status == \"completed\" }}}}', "),
            _ => String::new(),
        };
        let after: Vec<usize> = (index + 1..count).collect();
        let kind = kind(dice, &id, &after, own, &read);
        let undo = dice.roll(8) == 0;
        let undone = if undo { format!("compensate_with: u{id}, ") } else { String::new() };
        steps.push(format!(
            "{{id: {id}, depends_on: [{}], run_on: {}, join: {}, on_failure: {}, {when}{undone}{}{kind}}}",
            waits.join(", "),
            dice.one_of(&["success", "success", "success", "success", "failure", "always"]),
            dice.one_of(&["all", "all", "any"]),
            dice.one_of(&["fail", "continue", "continue"]),
            dice.one_of(&[
                "",
                "",
                "",
                "retry: {}, ",
                "retry: {max_attempts: 2, backoff: fixed, initial: 2m, on: [any]}, ",
                "retry: {max_attempts: 3, initial: 10s, max: 15s, on: [timeout, network]}, ",
            ]),
        ));
        if undo {
            let kind = dice.one_of(&[
                "type: api_call, url: 'http://127.0.0.1/', timeout: 3m",
                "type: ai_generate, model: some/model, prompt: undo, budget: {max_cost: 0.50 USD}, output_schema: {type: object}",
                "type: mcp_call, tool: hub, operation: undo, retry: {max_attempts: 2, on: [network]}",
                "type: human_approval, approvers: {users: [ann]}, timeout: 20m, on_timeout: approve",
            ]);
            undoing.push(format!("{{id: u{id}, run_on: compensation, {kind}}}"));
        }
    }
    steps.extend(undoing);
    steps
}

fn kind(dice: &mut Dice, id: &str, after: &[usize], own: Own<'_>, read: &dyn Fn(&mut Dice) -> String) -> String {
    let text = read(dice);
    let limit = dice.one_of(&["", "", "timeout: 45m, "]);
    match dice.roll(24) {
        0 | 1 if after.len() > 1 => gateway(dice, own.prefix, after),
        2..=5 => approval(dice, own, &text),
        6 => {
            let late = dice.one_of(&["on_timeout: fail", "on_timeout: continue"]);
            let people = dice.one_of(&["", "assignees: {users: [ann]}, "]);
            let patience = patience(dice, own, "30m");
            format!("type: form, {people}{patience}{late}, description: '{text}', fields: {{v: {{type: string}}}}")
        }
        7 | 8 => pause(dice, own),
        9 | 10 => {
            let timeout = patience(dice, own, "2m");
            format!("type: api_call, method: POST, url: 'http://127.0.0.1/', {timeout}body: {{v: '{text}'}}")
        }
        11 | 12 => {
            let budget = dice.one_of(&["budget: {max_cost: 1 USD}, ", "budget: {max_cost: 0.50 USD}, ", ""]);
            format!("type: ai_generate, model: some/model, prompt: '{text}', {budget}output_schema: {{type: object}}")
        }
        13 | 22 | 23 => {
            let budget = dice.one_of(&["budget: {max_cost: 1 USD}, ", "budget: {max_cost: 0.50 USD}, ", ""]);
            format!("type: agent_task, agent: helper, {limit}{budget}message: '{text}'")
        }
        14 => dice
            .one_of(&[
                "type: mcp_call, tool: hub, operation: go",
                "type: notify, channel: webhook, to: 'http://127.0.0.1/', message: gone",
                "type: workflow, workflow: ci.yml, timeout: 90m",
            ])
            .to_owned(),
        15..=17 if own.depth < 2 => list(dice, id, own, limit),
        18..=20 if own.calls => {
            let waits = dice.one_of(&["", "", "", "wait: false, "]);
            format!("type: process, {limit}{waits}process: child, inputs: {{text: '{text}'}}")
        }
        _ => format!("type: set, values: {{v: '{text}'}}"),
    }
}

/// A `timeout`, or none where `defaults` say one.
fn patience(dice: &mut Dice, own: Own<'_>, length: &str) -> String {
    if own.is_timed && dice.roll(2) == 0 { String::new() } else { format!("timeout: {length}, ") }
}

fn gateway(dice: &mut Dice, prefix: &str, after: &[usize]) -> String {
    let (one, two) = (after[0], after[1]);
    match dice.roll(3) {
        0 => format!(
            "type: gateway, mode: all, branches: [{{when: '{{{{ inputs.a }}}}', to: [{prefix}{one}]}}, {{when: '{{{{ inputs.text == \"none\" }}}}', to: [{prefix}{two}]}}, {{otherwise: true, to: [{prefix}{one}]}}]"
        ),
        _ => format!(
            "type: gateway, branches: [{{when: '{{{{ inputs.a }}}}', to: [{prefix}{one}]}}, {{otherwise: true, to: [{prefix}{two}]}}]"
        ),
    }
}

fn approval(dice: &mut Dice, own: Own<'_>, text: &str) -> String {
    let late = dice.one_of(&[
        "on_timeout: reject",
        "on_timeout: fail",
        "on_timeout: approve",
        "on_timeout: continue",
        "on_timeout: escalate, escalate: [{after: 30m, to: {users: [ann]}}, {after: 90m, to: {users: [ann]}}]",
    ]);
    let refused = dice.one_of(&["", "", "on_reject: continue, "]);
    let asked = dice.one_of(&[
        "approvers: {users: [ann]}",
        "approvers: {users: [ann]}",
        "approvers: {users: [ann, bob]}",
        "approvers: {all: [{users: [ann]}, {users: [bob]}]}",
        "approvers: {any: [{users: [ann]}, {users: [bob]}]}",
        "policy: guard",
        "approvers: {users: [ann]}, policy: guard",
    ]);
    let patience = patience(dice, own, "1h");
    format!("type: human_approval, {asked}, {refused}description: '{text}', {patience}{late}")
}

fn pause(dice: &mut Dice, own: Own<'_>) -> String {
    let until_event = if own.is_timed { "event: {name: news}" } else { "event: {name: news}, timeout: 35m" };
    let what = dice.one_of(&[
        "for: 5m",
        "for: 5m, timeout: 3m",
        "for: 3m, timeout: 5m",
        "until: '2026-03-02T09:30:00Z', timeout: 40m",
        "event: {name: news, timeout: 20m}",
        "event: {name: news, timeout: 20m}, timeout: 10m",
        until_event,
    ]);
    format!("type: wait, {what}")
}

fn list(dice: &mut Dice, id: &str, own: Own<'_>, limit: &str) -> String {
    let items = dice.one_of(&["[1, 2, 3]", "'{{ inputs.names }}'"]);
    let count = 1 + dice.roll(2) as usize;
    let inner = Own { prefix: &format!("{id}x"), depth: own.depth + 1, ..own };
    let body = steps(dice, inner, count).join(", ");
    format!(
        "type: foreach, {limit}items: {items}, max_parallel: {}, on_item_failure: {}, steps: [{body}]",
        1 + dice.roll(2),
        dice.one_of(&["fail", "continue"])
    )
}
