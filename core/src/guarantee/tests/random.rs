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

    fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.roll(texts.len() as u64) as usize]
    }
}

/// A process and another one that it may run.
pub(super) struct Random {
    defaults: String,
    yes: bool,
    story: String,
    child_defaults: String,
    child: String,
}

impl Random {
    pub(super) fn story(&self, guarantees: &[String]) -> String {
        self.text("story", "pull_request: {}", &self.defaults, guarantees, &self.story)
    }

    /// A process that nobody gives inputs but who runs it.
    pub(super) fn child(&self, guarantees: &[String]) -> String {
        let steps = format!("{}outputs: {{out: '{{{{ steps.c0.output | default(1) }}}}'}}\n", self.child);
        self.text("child", "push: {}", &self.child_defaults, guarantees, &steps)
    }

    fn text(&self, name: &str, trigger: &str, defaults: &str, guarantees: &[String], steps: &str) -> String {
        let guarantees: String = guarantees.iter().map(|guarantee| format!("- {guarantee}\n")).collect();
        let guarantees = if guarantees.is_empty() { guarantees } else { format!("guarantees:\n{guarantees}") };
        format!(
            "name: {name}\nversion: 1\ntriggers: [{{{trigger}}}]\ndefaults: {{{defaults}}}\ninputs: {{a: {{type: boolean, default: {}}}, text: {{type: string, default: none}}, names: {{type: list, max_items: 2, default: [x, y]}}}}\n{guarantees}steps:\n{steps}",
            self.yes
        )
    }
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
    ];
    let list = |dice: &mut Dice, prefix: &str, calls: bool| {
        let count = 2 + dice.roll(4) as usize;
        let steps = steps(dice, prefix, count, 0, calls);
        steps.into_iter().map(|step| format!("- {step}\n")).collect::<String>()
    };
    Random {
        defaults: dice.one_of(&defaults).to_owned(),
        yes: dice.roll(2) == 0,
        story: list(dice, "s", true),
        child_defaults: dice.one_of(&defaults).to_owned(),
        child: list(dice, "c", false),
    }
}

/// A list of steps; those that undo stand behind it.
fn steps(dice: &mut Dice, prefix: &str, count: usize, depth: usize, calls: bool) -> Vec<String> {
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
        let kind = kind(dice, &id, &after, prefix, depth, calls, &read);
        let undo = dice.roll(8) == 0;
        let undone = if undo { format!("compensate_with: u{id}, ") } else { String::new() };
        steps.push(format!(
            "{{id: {id}, depends_on: [{}], run_on: {}, join: {}, on_failure: {}, {when}{undone}{}{kind}}}",
            waits.join(", "),
            dice.one_of(&["success", "success", "success", "success", "failure", "always"]),
            dice.one_of(&["all", "all", "any"]),
            dice.one_of(&["fail", "continue", "continue"]),
            dice.one_of(&["", "", "retry: {}, ", "retry: {max_attempts: 2, backoff: fixed, initial: 2m, on: [any]}, "]),
        ));
        if undo {
            undoing.push(format!(
                "{{id: u{id}, run_on: compensation, type: api_call, url: 'http://127.0.0.1/', timeout: 3m}}"
            ));
        }
    }
    steps.extend(undoing);
    steps
}

fn kind(
    dice: &mut Dice,
    id: &str,
    after: &[usize],
    prefix: &str,
    depth: usize,
    calls: bool,
    read: &dyn Fn(&mut Dice) -> String,
) -> String {
    let text = read(dice);
    let limit = dice.one_of(&["", "", "timeout: 45m, "]);
    match dice.roll(14) {
        0 if after.len() > 1 => format!(
            "type: gateway, branches: [{{when: '{{{{ inputs.a }}}}', to: [{prefix}{}]}}, {{otherwise: true, to: [{prefix}{}]}}]",
            after[0], after[1]
        ),
        1..=3 => {
            let late = dice.one_of(&[
                "on_timeout: reject",
                "on_timeout: approve",
                "on_timeout: continue",
                "on_timeout: escalate, escalate: [{after: 30m, to: {users: [ann]}}, {after: 90m, to: {users: [ann]}}]",
            ]);
            format!("type: human_approval, approvers: {{users: [ann]}}, description: '{text}', timeout: 1h, {late}")
        }
        4 => "type: wait, for: 5m".to_owned(),
        5 => "type: wait, event: {name: news, timeout: 20m}".to_owned(),
        6 | 7 => format!("type: api_call, method: POST, url: 'http://127.0.0.1/', timeout: 2m, body: {{v: '{text}'}}"),
        8 | 9 => {
            let budget = dice.one_of(&["budget: {max_cost: 1 USD}, ", "budget: {max_cost: 0.50 USD}, ", ""]);
            format!("type: ai_generate, model: some/model, prompt: '{text}', {budget}output_schema: {{type: object}}")
        }
        10 | 11 if depth < 2 => {
            let items = dice.one_of(&["[1, 2, 3]", "'{{ inputs.names }}'"]);
            let count = 1 + dice.roll(2) as usize;
            let body = steps(dice, &format!("{id}x"), count, depth + 1, calls).join(", ");
            format!(
                "type: foreach, {limit}items: {items}, max_parallel: {}, on_item_failure: {}, steps: [{body}]",
                1 + dice.roll(2),
                dice.one_of(&["fail", "continue"])
            )
        }
        12 | 13 if calls => format!("type: process, {limit}process: child, inputs: {{text: '{text}'}}"),
        _ => format!("type: set, values: {{v: '{text}'}}"),
    }
}
