//! What models and tools did and cost, as tables, lines and CSV (RFC 4180). Nothing is asked here.

use flowctl_app::api::view::{StepView, UsageView};
use flowctl_app::api::{ExecutionView, TraceView};
use flowctl_core::execution::Usage;
use flowctl_core::value::visible::visible;
use serde_json::Value;

use crate::rows::table;
use crate::terminal::{BOLD, DIM, ERROR, GOOD, WAITS};

/// The columns of the CSV.
const COLUMNS: &str = "execution,repository,process,status,created_at,step,model,calls,input_tokens,output_tokens,cost,currency,estimated,provider,unpriced";

/// Executions with what their models used, a row each, and the sum.
pub fn executions(executions: &[ExecutionView]) -> String {
    let mut table = table(&["execution", "process", "status", "calls", "tokens in", "out", "cost"]);
    for execution in executions {
        let used = used_by(std::slice::from_ref(execution));
        let (process, status) = (format!("{}:{}", execution.repository, execution.process), execution.status.as_str());
        table.add_row(row(execution.id.to_string(), process, status, &used));
    }
    let all = used_by(executions);
    table.add_row(row(format!("all {}", executions.len()), String::new(), "", &all));
    table.to_string()
}

fn row(id: String, process: String, status: &str, used: &Usage) -> [String; 7] {
    let guess = if used.estimated { "about " } else { "" };
    let cost = used.total().map(|cost| format!("{guess}{cost}")).unwrap_or_default();
    let counts = [u64::from(used.calls), used.input_tokens, used.output_tokens].map(|count| count.to_string());
    let [calls, input, output] = counts;
    [id, process, status.to_owned(), calls, input, output, cost]
}

fn used_by(executions: &[ExecutionView]) -> Usage {
    let used = executions.iter().flat_map(|execution| &execution.steps).filter_map(|step| step.usage.as_ref());
    used.fold(Usage::default(), |sum, usage| sum.plus(&usage.usage()))
}

/// The same as comma-separated values: a line for each step that used a model, and for each further currency one more that
/// counts no calls and tokens again.
pub fn csv(executions: &[ExecutionView]) -> String {
    let mut text = format!("{COLUMNS}\r\n");
    for execution in executions {
        let spent: Vec<(&StepView, &UsageView)> =
            execution.steps.iter().filter_map(|step| Some((step, step.usage.as_ref()?))).collect();
        let mut line = |of_step: [String; 10]| {
            let own = [
                execution.id.to_string(),
                execution.repository.clone(),
                execution.process.clone(),
                execution.status.as_str().to_owned(),
                execution.created_at.to_string(),
            ];
            let fields: Vec<String> = own.into_iter().chain(of_step).map(|field| escaped(&field)).collect();
            text.push_str(&fields.join(","));
            text.push_str("\r\n");
        };
        if spent.is_empty() {
            line(Default::default());
        }
        spent.into_iter().flat_map(|(step, usage)| of_step(&step.id, usage)).for_each(&mut line);
    }
    text
}

/// The fields of a step: of the first currency with its counts, of each further one without.
fn of_step(id: &str, view: &UsageView) -> Vec<[String; 10]> {
    let usage = view.usage();
    let counts = [u64::from(usage.calls), usage.input_tokens, usage.output_tokens];
    let costs: Vec<&str> = usage.costs().collect();
    let costs = if costs.is_empty() { vec![""] } else { costs };
    let fields = |(place, cost): (usize, &str)| {
        let [calls, input, output] = counts.map(|count| if place == 0 { count.to_string() } else { "0".to_owned() });
        let (amount, currency) = cost.split_once(' ').unwrap_or_default();
        [
            id.to_owned(),
            usage.model.clone(),
            calls,
            input,
            output,
            amount.to_owned(),
            currency.to_owned(),
            usage.estimated.to_string(),
            provider(&usage.model).to_owned(),
            view.unpriced.to_string(),
        ]
    };
    costs.into_iter().enumerate().map(fields).collect()
}

/// Who has a model: what stands before the first `/` of its name.
fn provider(model: &str) -> &str {
    model.split_once('/').map_or(model, |(provider, _)| provider)
}

/// How a formula begins in a spreadsheet (<https://owasp.org/www-community/attacks/CSV_Injection>), in full width too.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A field; one that a spreadsheet would take for a formula begins with an apostrophe.
fn escaped(field: &str) -> String {
    let field = if field.starts_with(FORMULA) { format!("'{field}") } else { field.to_owned() };
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

/// A trace: what was said and done, in order.
pub fn trace(entries: &[TraceView]) -> String {
    let mut text = String::new();
    let mut of = None;
    for TraceView { at, step, attempt, entry, .. } in entries {
        if of.replace((step, attempt)) != Some((step, attempt)) {
            text.push_str(&format!("{BOLD}{step}{BOLD:#} {DIM}attempt {attempt}{DIM:#}\n"));
        }
        let at = at.strftime("%H:%M:%S");
        let (head, body) = lines(entry);
        text.push_str(&format!("  {DIM}{at}{DIM:#} {head}\n"));
        for line in body.lines() {
            text.push_str(&format!("           {}\n", visible(line)));
        }
    }
    text
}

/// The headline of an entry, and what stands below it.
fn lines(entry: &Value) -> (String, String) {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let json = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let usage = |usage: &Value| {
        let cost = usage["cost"].as_str().map(|cost| format!(", {cost}")).unwrap_or_default();
        let guess = if usage["estimated"] == true { "about " } else { "" };
        format!("{guess}{} tokens in, {} out{cost}", usage["input_tokens"], usage["output_tokens"])
    };
    match entry["kind"].as_str().unwrap_or_default() {
        "message" => (text("role"), text("text")),
        "model_asked" => (format!("asks {}", visible(&text("model"))), String::new()),
        "model_answered" => {
            let model = entry["usage"]["model"].as_str().unwrap_or_default();
            let head = format!(
                "{GOOD}{}{GOOD:#} answers after {} ms: {}",
                visible(model),
                entry["latency_ms"],
                usage(&entry["usage"])
            );
            let calls = entry["calls"].as_array().into_iter().flatten();
            let calls = calls.map(|call| format!("calls {} {}", json(&call["name"]), call["arguments"]));
            let said = Some(text("text")).filter(|said| !said.is_empty());
            (head, said.into_iter().chain(calls).collect::<Vec<_>>().join("\n"))
        }
        "model_failed" => {
            (format!("{ERROR}no answer{ERROR:#} after {} ms", entry["latency_ms"]), json(&entry["error"]["message"]))
        }
        "tool_call_begun" => (
            format!("calls {} of {}", visible(&text("operation")), visible(&text("tool"))),
            entry["arguments"].to_string(),
        ),
        "tool_call_ended" => {
            let outcome = &entry["outcome"];
            match outcome.get("error") {
                Some(error) => (
                    format!("{ERROR}the call failed{ERROR:#} after {} ms", entry["latency_ms"]),
                    json(&error["message"]),
                ),
                None => (format!("the call gave, after {} ms", entry["latency_ms"]), json(&outcome["result"])),
            }
        }
        "approval_asked" => {
            let call = &entry["call"];
            let head = format!(
                "{WAITS}asks people{WAITS:#} whether it may call {} of {}",
                visible(&json(&call["operation"])),
                visible(&json(&call["tool"]))
            );
            (head, call["arguments"].to_string())
        }
        "approval_decided" => {
            let decided = &entry["decided"];
            let people = decided["decisions"].as_array().into_iter().flatten();
            let people: Vec<String> = people.map(|word| json(&word["person"]["login"])).collect();
            (format!("the call is {}", json(&decided["decision"])), people.join(", "))
        }
        "tools_left_out" => {
            let tools: Vec<&Value> = entry["tools"].as_array().into_iter().flatten().collect();
            let names: Vec<String> = tools.iter().map(|tool| visible(&json(&tool["tool"])).into_owned()).collect();
            let reasons: Vec<String> = tools.iter().map(|tool| json(&tool["error"]["message"])).collect();
            match names.is_empty() {
                true => ("every tool answers again".to_owned(), String::new()),
                false => (format!("{WAITS}goes on without{WAITS:#} {}", names.join(", ")), reasons.join("\n")),
            }
        }
        "summary" => ("what was said so far, in short".to_owned(), text("text")),
        other => (visible(other).into_owned(), entry.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_csv_are_quoted_and_are_no_formulas() {
        let cases = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("@SUM(1,2)", "\"'@SUM(1,2)\""),
            ("＝1+1", "'＝1+1"),
            ("\n=1", "\"'\n=1\""),
            ("", ""),
        ];
        for (field, expected) in cases {
            assert_eq!(escaped(field), expected);
        }
    }

    #[test]
    fn what_a_step_cost_in_a_further_currency_has_a_line_and_counts_nothing_twice() {
        let usage = |cost: Option<&str>| Usage {
            model: "google/g".to_owned(),
            input_tokens: 10,
            output_tokens: 5,
            cost: cost.map(str::to_owned),
            calls: 1,
            ..Usage::default()
        };
        let lines = |usage: &Usage| {
            of_step("ask", &UsageView::of(usage)).iter().map(|fields| fields.join(",")).collect::<Vec<_>>()
        };
        assert_eq!(lines(&usage(None)), ["ask,google/g,1,10,5,,,false,google,true"]);
        let both = usage(Some("1.5 USD")).plus(&usage(Some("1.9 EUR")));
        let expected =
            ["ask,google/g,2,20,10,1.9,EUR,false,google,false", "ask,google/g,0,0,0,1.5,USD,false,google,false"];
        assert_eq!(lines(&both), expected);
    }

    #[test]
    fn a_models_provider_stands_before_its_name() {
        for (model, expected) in
            [("openai/gpt-5-mini", "openai"), ("compatible/org/model", "compatible"), ("mock", "mock")]
        {
            assert_eq!(provider(model), expected);
        }
    }

    #[test]
    fn what_a_model_says_moves_no_cursor() {
        let entry: Value = serde_json::json!({"kind": "message", "role": "user", "text": "a\u{1b}[2Jb\u{202e}c\rd"});
        let view = TraceView { seq: 1, at: jiff::Timestamp::UNIX_EPOCH, step: "draft".to_owned(), attempt: 1, entry };
        let shown = trace(&[view]);
        assert!(!["\u{1b}[2J", "\u{202e}", "\r"].iter().any(|it| shown.contains(it)), "{shown:?}");
    }
}
