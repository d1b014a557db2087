//! The only room that knows minijinja: it parses with it, walks its tree (what is read, what may be used), and lets
//! its machine run a guarded copy of that tree. minijinja bounds neither its recursion nor the size of its values and
//! is lenient with kinds; [`scan`] and [`guards`] are there for that.

mod calls;
mod catalogue;
mod compare;
mod explain;
mod filters;
mod guards;
mod known;
mod outline;
mod scan;
mod values;
mod walk;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use minijinja::machinery::{CodeGenerator, Span, ast, make_string_output};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value as Json;

pub use catalogue::{Callable, CallableKind, Gives, Parameter, Takes, catalogue};
pub(crate) use catalogue::{find as find_callable, nearest};
pub(super) use minijinja::Value;
pub(super) use values::from_json;

use super::tree::Statement;
use super::{Context, EvaluationError, ExpressionError, FUEL, Filled, MAX_OUTPUT, Reference, SecretPart};

/// What [`read`] found in a text.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) references: Vec<Reference>,
    pub(super) has_statements: bool,
    /// Whether the text is one `{{ … }}` and at most line breaks after it.
    pub(super) is_native: bool,
    pub(super) statements: Vec<Statement>,
}

/// Where a text has markup, piece by piece.
pub(super) fn markup(text: &str) -> Vec<Range<usize>> {
    scan::markup(text)
}

/// Parses a text and checks what can be checked without running it.
pub(super) fn read(text: &str) -> Result<Outline, ExpressionError> {
    let tree = parse(text)?;
    let statements = children(&tree);
    let is_print = |statement: &ast::Stmt<'_>| matches!(statement, ast::Stmt::EmitExpr(_));
    let has_statements =
        statements.iter().any(|statement| !is_print(statement) && !matches!(statement, ast::Stmt::EmitRaw(_)));
    let is_native = match statements {
        [print] => is_print(print),
        [print, ast::Stmt::EmitRaw(rest)] => is_print(print) && rest.raw.trim_matches(['\n', '\r']).is_empty(),
        _ => false,
    };
    let references = walk::walk(text, statements)?.references;
    let statements = outline::statements(text, statements);
    Ok(Outline { references, has_statements, is_native, statements })
}

/// Runs a text that [`read`] has accepted. A native text gives its value and no parts, unless it is a secret.
pub(super) fn run(
    text: &str,
    native: bool,
    context: &Context,
    filled: Filled,
) -> Result<(Option<Json>, Vec<SecretPart>), EvaluationError> {
    let tree = parse(text)?;
    let walked = walk::walk(text, children(&tree))?;
    let mut generator = CodeGenerator::new("", text);
    let value_range = match (native, walked.statements.first()) {
        (true, Some(ast::Stmt::EmitExpr(print))) if !guards::is_secret(&print.expr) => {
            generator.compile_expr(&print.expr);
            Some(range_of(text, print.span()))
        }
        (true, Some(secret)) => {
            generator.compile_stmt(secret);
            None
        }
        _ => {
            walked.statements.iter().for_each(|statement| generator.compile_stmt(statement));
            None
        }
    };
    let (instructions, blocks) = generator.finish();
    let root = Value::from_object(Roots(context.clone()));
    let mut unused = String::new();
    let mut output = make_string_output(&mut unused);
    let escape = match filled {
        Filled::AsIs => AutoEscape::None,
        Filled::LeadingNowhere => guards::MARKDOWN,
    };
    let result = minijinja::machinery::eval(&ENVIRONMENT, &instructions, root, &blocks, &mut output, escape);
    let (value, mut state) = result.map_err(|error| explain::failure(text, &walked.sites, &error))?;
    match (value, value_range) {
        (Some(value), Some(range)) => {
            let value = values::to_json(&value, MAX_OUTPUT).map_err(|message| EvaluationError::at(message, range))?;
            Ok((Some(value), Vec::new()))
        }
        _ => Ok((None, guards::take_parts(&mut state))),
    }
}

fn parse(text: &str) -> Result<ast::Stmt<'_>, ExpressionError> {
    // Nearly every text is harmless and sound: its tokens are read once.
    if scan::is_harmless(text)
        && let Ok(tree) = minijinja::machinery::parse(text, "", syntax())
    {
        return Ok(tree);
    }
    let unclosed = scan::scan(text)?;
    minijinja::machinery::parse(text, "", syntax()).map_err(|error| explain::fault(text, &error, unclosed))
}

/// Whether a text is parsed at once that a scan refuses.
#[cfg(test)]
pub(super) fn is_taken_unseen(text: &str) -> bool {
    let is_parsed = minijinja::machinery::parse(text, "", syntax()).is_ok();
    scan::is_harmless(text) && is_parsed && scan::scan(text).is_err()
}

fn syntax() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    syntax.build().unwrap_or_default()
}

fn children<'t, 'a>(tree: &'t ast::Stmt<'a>) -> &'t [ast::Stmt<'a>] {
    match tree {
        ast::Stmt::Template(template) => &template.children,
        other => std::slice::from_ref(other),
    }
}

/// A span as bytes of the text, on character boundaries.
fn range_of(text: &str, span: Span) -> Range<usize> {
    bounded(text, span.start_offset as usize..span.end_offset as usize)
}

fn bounded(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(range.start);
    start..text.floor_char_boundary(range.end).max(start)
}

/// Nothing but the catalogue, the guards and the context.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL as u64));
    environment.set_debug(false);
    environment.set_formatter(|_, state, value| guards::emit(state, value));
    guards::install(&mut environment);
    filters::install(&mut environment);
    environment
});

/// The context as the machine's outermost scope; a root is converted when it is first read.
#[derive(Debug)]
struct Roots(Context);

impl Object for Roots {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        key.as_str().filter(|name| *name != "secrets").and_then(|name| self.0.prepared(name))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.roots().map(Value::from).collect())
    }
}
