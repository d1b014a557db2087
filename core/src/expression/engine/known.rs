//! Which chains exist for certain where a test has come out one way: `x is defined`, and all that implies it.

use minijinja::machinery::ast::{BinOpKind, Expr, UnaryOpKind};

use super::walk::{Walk, key_of, take_apart};
use crate::expression::Key;

pub(super) type Path = Vec<Key>;

/// The chains that exist where `test` came out as `outcome`.
pub(super) fn known_if(walk: &Walk<'_>, test: &Expr<'_>, outcome: bool) -> Vec<Path> {
    match test {
        Expr::UnaryOp(not) if matches!(not.op, UnaryOpKind::Not) => known_if(walk, &not.expr, !outcome),
        Expr::BinOp(both) => match (both.op, outcome) {
            (BinOpKind::ScAnd, true) | (BinOpKind::ScOr, false) => {
                let mut known = known_if(walk, &both.left, outcome);
                known.extend(known_if(walk, &both.right, outcome));
                known
            }
            _ => Vec::new(),
        },
        Expr::Test(test) if matches!((test.name, outcome), ("defined", true) | ("undefined", false)) => {
            path_of(walk, &test.expr).into_iter().collect()
        }
        // `x | default(false)` is true only where x exists.
        Expr::Filter(filter) if filter.name == "default" && outcome => match (filter.args.as_slice(), &filter.expr) {
            ([minijinja::machinery::ast::CallArg::Pos(Expr::Const(fallback))], Some(of))
                if !fallback.value.is_true() =>
            {
                path_of(walk, of).into_iter().collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn path_of(walk: &Walk<'_>, expression: &Expr<'_>) -> Option<Path> {
    let (root, links) = take_apart(expression);
    let name = walk.root(root)?;
    let root = std::iter::once(Key::Name(name.to_owned()));
    Some(root.chain(links.iter().map(key_of)).collect())
}

/// Whether one chain is a beginning of the other. What is computed is never known to be the same.
pub(super) fn related(known: &[Key], path: &[Key]) -> bool {
    known.iter().zip(path).all(|(left, right)| left == right && *left != Key::Dynamic)
}
