//! The tables of `docs/expressions.md` about types hold for the example on that page.

use crate::definition::repository::Repository;
use crate::types::Types;
use crate::validate::{Options, validate};

const PATH: &str = ".flow/processes/expressions.yaml";
/// The expression of the example in whose place others are put.
const REPLACED: &str = "inputs.limit - steps.facts.output.count";

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/expressions.md");
    std::fs::read_to_string(path).unwrap()
}

/// The example with another expression in it.
fn example(page: &str, expression: &str) -> Repository {
    let text = page.split("```yaml\n# .flow/processes/expressions.yaml\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(text.contains(REPLACED));
    Repository::read([(PATH.to_owned(), text.replace(REPLACED, expression))])
}

/// The rows of the table with this head, cell by cell.
fn rows(page: &str, head: &str) -> Vec<Vec<String>> {
    let table = page.split(head).nth(1).unwrap().trim_start();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let row = row.replace("\\|", "\u{1}");
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('\u{1}', "|")).collect()
    })
    .collect()
}

#[test]
fn the_documented_types_are_inferred() {
    let page = page();
    let rows = rows(&page, "| expression | its type |");
    assert!(rows.len() > 5);
    for row in rows {
        let expression = row[0].trim_matches('`');
        let repository = example(&page, expression);
        let types = Types::of(&repository);
        let process = types.process(PATH).unwrap();
        let texts = &process.texts().texts;
        let place = texts.iter().position(|text| text.owner.id() == Some("more") && !text.role.is_when).unwrap();
        assert_eq!(process.read(&types)[place].of.to_string(), row[1], "{expression}");
    }
}

#[test]
fn the_documented_mistakes_are_found() {
    let page = page();
    let rows = rows(&page, "| wrong | the part | rule |");
    assert!(rows.len() > 5);
    for row in rows {
        let expression = row[0].trim_matches('`');
        let repository = example(&page, expression);
        let report = validate(&repository, &Options::default());
        let [finding] = report.findings.as_slice() else { panic!("{expression}: {:?}", report.findings) };
        let text = repository.files[PATH].source.text();
        assert_eq!(format!("`{}`", &text[finding.span.range()]), row[1], "{expression}");
        assert!(row[2].starts_with(&format!("[{}]", finding.code)), "{expression}: {}", finding.code);
    }
}
