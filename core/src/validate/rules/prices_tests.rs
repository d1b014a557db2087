//! Budgets in money and the prices of models: wherever a budget stands, it is told of once, at a place that can be changed.

use crate::definition::repository::Repository;
use crate::validate::{Options, validate};
use crate::value::Prices;

/// What is said of budgets: the file, the line, the message.
fn found(files: &[(&str, &str)], prices: Option<&Prices>) -> Vec<String> {
    let repository = Repository::read(files.iter().map(|(path, text)| (format!(".flow/{path}"), (*text).to_owned())));
    for file in repository.files.values() {
        assert!(file.faults.is_empty() && file.structure.is_empty(), "{:?} {:?}", file.faults, file.structure);
    }
    let report = validate(&repository, &Options { prices, ..Options::default() });
    let wanted = report.findings.iter().filter(|finding| matches!(finding.code, "FLOW706" | "FLOW709"));
    let place = |path: &str| path.trim_start_matches(".flow/").to_owned();
    wanted.map(|one| format!("{}:{} {} {}", place(&one.path), one.range.start.line, one.code, one.message)).collect()
}

/// A process with two steps that ask this model, with more of its header and of its first step.
fn asking(model: &str, header: &str, step: &str) -> String {
    let ask = |id: &str, more: &str| {
        format!(
            "  - {{id: {id}, type: ai_generate, model: {model}, prompt: Hi, output_schema: {{type: object}}{more}}}\n"
        )
    };
    format!("name: x\nversion: 1\n{header}steps:\n{}{}", ask("one", step), ask("two", ""))
}

fn of_step(model: &str, budget: &str) -> Vec<String> {
    found(&[("processes/x.yaml", &asking(model, "", &format!(", budget: {{max_cost: {budget}}}")))], None)
}

#[test]
fn a_budget_fits_the_currency_of_the_price_or_nothing_is_asked() {
    assert_eq!(of_step("openai/gpt-5-mini", "1 USD"), Vec::<String>::new());
    assert_eq!(
        of_step("openai/gpt-5-mini", "1 EUR"),
        [
            "processes/x.yaml:4 FLOW709 the price of `openai/gpt-5-mini` is in USD, and the budget of 1 EUR in EUR: no call is allowed"
        ]
    );
    // What costs nothing fits, and of what is not there nothing is known.
    for model in ["mock", "mock/script", "nobody/has-it", "clever"] {
        assert_eq!(of_step(model, "1 EUR"), Vec::<String>::new(), "{model}");
    }
}

#[test]
fn of_the_operator_s_own_models_only_a_table_that_somebody_gave_says_that_they_have_no_price() {
    let own = ("processes/x.yaml", &*asking("compatible/llama3.1", "", ", budget: {max_cost: 1 EUR}"));
    assert_eq!(found(&[own], None), Vec::<String>::new());
    assert_eq!(
        found(&[own], Some(&Prices::default())),
        [
            "processes/x.yaml:4 FLOW709 `compatible/llama3.1` has no known price, and the budget is 1 EUR: no call is allowed"
        ]
    );
    // Those of others are looked up in the table that comes along.
    assert_eq!(of_step("openai/tomorrow", "1 USD").len(), 1);
}

#[test]
fn the_operator_s_prices_are_what_counts() {
    let own = Prices::read("[[price]]\nmodel = \"compatible/*\"\ninput = \"1 EUR\"\noutput = \"2 EUR\"\n").unwrap();
    let said = |budget: &str| {
        let process = asking("compatible/llama3.1", "", &format!(", budget: {{max_cost: {budget}}}"));
        found(&[("processes/x.yaml", &process)], Some(&own))
    };
    assert_eq!(said("1 EUR"), Vec::<String>::new());
    assert_eq!(said("1 USD").len(), 1);
}

#[test]
fn a_budget_for_many_steps_is_told_of_once() {
    let settings = "models: {default: openai/gpt-5-mini}\n";
    let of_settings =
        format!("{settings}defaults: {{monthly_budget: {{max_cost: 5 CHF}}}}\nmonthly_budget: {{max_cost: 9 GBP}}\n");
    let header = "defaults: {execution_budget: {max_cost: 1 EUR}, monthly_budget: {max_cost: 100 USD}}\n";
    let own = asking("default", header, "");
    assert_eq!(
        found(&[("flow.yaml", settings), ("processes/x.yaml", &own)], None),
        [
            "processes/x.yaml:3 FLOW709 the price of `openai/gpt-5-mini` is in USD, and the budget of 1 EUR in EUR: no call is allowed"
        ]
    );
    // A process's own budget stands in the place of the one of `flow.yaml`; the repository's counts beside it.
    let told = found(&[("flow.yaml", &of_settings), ("processes/x.yaml", &own)], None);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("processes/x.yaml:5 FLOW709 ") && told[1].contains("9 GBP"), "{told:?}");
    let told = found(&[("flow.yaml", &of_settings), ("processes/x.yaml", &asking("default", "", ""))], None);
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn an_agent_s_budget_is_told_of_in_its_file() {
    let agent =
        "name: bot\nmodel: google/gemini-2.5-flash\nbudget: {max_cost: 1 EUR}\nmonthly_budget: {max_cost: 5 USD}\n";
    let task = |budget: &str| {
        let steps = format!("  - {{id: act, type: agent_task, agent: bot, message: Hi{budget}}}\n");
        found(
            &[("agents/bot.yaml", agent), ("processes/x.yaml", &format!("name: x\nversion: 1\nsteps:\n{steps}"))],
            None,
        )
    };
    let own = "agents/bot.yaml:3 FLOW709 the price of `google/gemini-2.5-flash` is in USD, and the budget of 1 EUR in EUR: no call is allowed";
    assert_eq!(task(""), [own]);
    let told = task(", budget: {max_cost: 1 CHF}");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("processes/x.yaml:4 FLOW709 "), "{told:?}");
}

#[test]
fn an_amount_that_fits_no_price_is_no_second_currency() {
    let steps = "  - {id: one, type: ai_generate, model: openai/gpt-5-mini, prompt: Hi, output_schema: {type: object}, budget: {max_cost: 1 USD}}\n  - {id: two, type: ai_generate, model: openai/gpt-5-mini, prompt: Hi, output_schema: {type: object}, budget: {max_cost: 1 EUR}}\n";
    let told = found(&[("processes/x.yaml", &format!("name: x\nversion: 1\nsteps:\n{steps}"))], None);
    assert!(told.len() == 1 && told[0].contains("FLOW709"), "{told:?}");
    // Where neither is wrong by itself, that there are two is.
    let told = found(
        &[(
            "processes/x.yaml",
            &format!("name: x\nversion: 1\nsteps:\n{}", steps.replace("openai/gpt-5-mini", "mock")),
        )],
        None,
    );
    assert!(told.len() == 1 && told[0].contains("FLOW706"), "{told:?}");
}
