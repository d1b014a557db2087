//! Tests of the types: tables of expressions and what is said of them.
