//! What executions may cost: over attempts, items, sub-processes and the budget of the whole.

use super::stories::told;

const USD: &str = "budget: {max_cost: 1 USD}";

fn ask(id: &str, more: &str) -> String {
    format!("{{id: {id}, type: ai_generate, model: openai/b, prompt: hello, output_schema: {{type: object}}, {more}}}")
}

/// The verdict on a process with these defaults and steps, beside `child`, which costs 2 USD.
fn most(bound: &str, defaults: &str, steps: &[String]) -> String {
    let steps: String = steps.iter().map(|step| format!("- {step}\n")).collect();
    let story = format!(
        "name: story\nversion: 1\ndefaults: {{{defaults}}}\ninputs: {{names: {{type: list, max_items: 3, default: []}}, any: {{type: list, default: []}}, risk: {{type: integer, default: 0}}}}\nguarantees: [{{at_most: {bound}}}]\nsteps:\n{steps}"
    );
    let child = format!("name: child\nversion: 1\nsteps: [{}]\n", ask("c", "budget: {max_cost: 2 USD}"));
    let agent = "name: helper\nmodel: openai/b\nbudget: {max_cost: 1 USD}\n";
    told(&[("processes/story.yaml", &story), ("processes/child.yaml", &child), ("agents/helper.yaml", agent)]).remove(0)
}

fn each(items: &str, more: &str, step: &str) -> String {
    format!("{{id: each, type: foreach, items: '{{{{ inputs.{items} }}}}', {more} steps: [{step}]}}")
}

#[test]
fn a_budget_holds_over_all_attempts_but_a_sub_process_begins_anew() {
    let child = |more: &str| format!("{{id: run, type: process, process: child{more}}}");
    insta::assert_debug_snapshot!(
        [
            most("1 USD", "retry: {}", &[ask("a", USD)]),
            most("1 USD", "", &["{id: t, type: agent_task, agent: helper, message: x, budget: {max_cost: 5 USD}, retry: {}}".to_owned()]),
            most("3 USD", "", &[each("names", "retry: {},", &ask("a", USD))]),
            most("2 USD", "", &[child("")]),
            most("4 USD", "", &[child(", retry: {max_attempts: 3}")]),
            most("9 USD", "", &[each("names", "retry: {max_attempts: 2},", &child(""))]),
        ],
        @r#"
        [
            "holds",
            "holds",
            "holds",
            "holds",
            "fails: 3 times 2 USD for `child` in `run` = 6 USD, which is more than 4 USD | lower a budget, or the number of items or sub-processes",
            "fails: 2 times 3 items of 2 USD for sub-processes in `each` = 12 USD, which is more than 9 USD | lower a budget, or the number of items or sub-processes",
        ]
        "#,
    );
}

#[test]
fn the_budget_of_an_execution_bounds_all_its_models_and_no_sub_process() {
    let budget = "execution_budget: {max_cost: 1 USD}";
    let (free, child) = (ask("a", "temperature: 1"), "{id: run, type: process, process: child}".to_owned());
    let route = "{id: route, type: gateway, branches: [{when: '{{ inputs.risk > 5 }}', to: [a]}, {otherwise: true, to: [run]}]}";
    insta::assert_debug_snapshot!(
        [
            most("1 USD", budget, std::slice::from_ref(&free)),
            most("0.50 USD", budget, std::slice::from_ref(&free)),
            most("1 USD", budget, &[ask("a", USD), ask("b", USD), ask("d", USD)]),
            most("1 USD", budget, &[each("any", "", &free)]),
            most("2 USD", budget, &[free.clone(), child.clone()]),
            most("3 USD", budget, &[free.clone(), child.clone()]),
            // What costs most before it is bounded need not cost most: `a` may cost 1 USD only, `run` costs 2.
            most("1.50 USD", budget, &[route.to_owned(), ask("a", "budget: {max_cost: 9 USD}"), child.clone()]),
            most("1 EUR", budget, std::slice::from_ref(&free)),
        ],
        @r#"
        [
            "holds",
            "fails: 1 USD for all models of `story` (`execution_budget`) = 1 USD, which is more than 0.50 USD | lower a budget, or the number of items or sub-processes",
            "holds",
            "holds",
            "fails: 1 USD for all models of `story` (`execution_budget`) + 2 USD for `child` in `run` = 3 USD, which is more than 2 USD | lower a budget, or the number of items or sub-processes",
            "holds",
            "fails: 2 USD for `child` in `run` = 2 USD, which is more than 1.50 USD | lower a budget, or the number of items or sub-processes",
            "fails: no bound: `a` has no `budget` with `max_cost` | give `a` a `budget` with `max_cost` in EUR",
        ]
        "#,
    );
}
