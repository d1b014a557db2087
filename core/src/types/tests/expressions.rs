//! Tables: an expression, what it gives, and what is wrong with it.

use super::super::text::{CONDITION, TEXT, VALUE};
use super::all_said;

#[test]
fn what_right_expressions_give() {
    insta::assert_snapshot!(all_said(VALUE, &[
        "{{ x.n }}", "{{ x['t'] }}", "{{ x.p[0].name }}", "{{ x.p[-1].age }}", "{{ x.v.anything }}", "{{ x.t[0] }}",
        "{{ x.l[1:] }}", "{{ x.t[:3] }}", "{{ x.n + 1 }}", "{{ x.n + 0.5 }}", "{{ x.n / 2 }}", "{{ x.n // 2 }}",
        "{{ -x.n }}", "{{ x.t + '!' }}", "{{ x.t ~ x.n }}", "{{ x.l + ['more'] }}", "{{ x.n > 3 and x.b }}",
        "{{ not x.l }}", "{{ x.w == 'low' }}", "{{ 'a' in x.l }}", "{{ 'a' in x.t }}", "{{ 'name' in x.d }}",
        "{{ x.w in ['low', 'high'] }}", "{{ 0 < x.n < 10 }}", "{{ x.n if x.b else x.t }}", "{{ x.t or 'fallback' }}",
        "{{ [1, 'a'] }}", "{{ [1, 'a'][1] }}", "{{ {'a': x.n, 'b': x.l} }}", "{{ {'a': x.n}.a }}",
        "{{ x.z | default('-') }}", "{{ x.o | default(3) }}", "{{ x.d.boss.name | default('-') }}",
        "{{ x.t | upper | trim | length }}", "{{ x.t | split(',') }}", "{{ x.n | round(1) }}", "{{ x.f | round }}",
        "{{ x.l | first }}", "{{ x.p | first }}", "{{ x.l | join(', ') }}", "{{ x.p | map(attribute='name') }}",
        "{{ x.p | map(attribute='boss.name', default='-') }}", "{{ x.l | map('upper') }}", "{{ x.l | map('length') }}",
        "{{ x.p | sort(attribute='age') | map(attribute='name') | first }}", "{{ x.m | sum }}",
        "{{ x.p | sum(attribute='age') }}", "{{ x.p | selectattr('age', 'gt', 3) | list }}", "{{ x.m | select('odd') }}",
        "{{ x.l | batch(2) }}", "{{ x.d | items }}", "{{ x.v | values }}", "{{ x.d | list }}", "{{ x | tojson }}",
        "{{ x.t | fromjson }}", "{{ range(3) }}", "{{ x.z is none }}", "{{ x.n is odd }}", "{{ x.t | int }}",
        "{{ x.t | int('none') }}", "{{ x.l | reverse }}", "{{ x.z if x.z is not none else '' }}",
        "{{ x.z | upper if x.z else '' }}", "{{ x.z is none or x.z | length > 3 }}", "{{ x.z is not none and x.z > 'a' }}",
        "{{ x.d.boss.name if x.d.boss else '' }}", "{{ x.o if x.o is defined else '' }}", "{{ x.z == none }}",
        "{{ x.z != none and x.z | upper == 'A' }}", "{{ x.d[x.t] }}", "{{ x.l[x.n] }}", "{{ not (x.z is none) and x.z[0] }}",
        "{{ x.z in ['a', 'b'] and x.z | upper }}", "{{ x.z == 'a' and x.z | upper }}", "{{ null }}",
    ]), @r#"
    {{ x.n }}
        a whole number
    {{ x['t'] }}
        a text
    {{ x.p[0].name }}
        a text
    {{ x.p[-1].age }}
        a whole number
    {{ x.v.anything }}
        a whole number
    {{ x.t[0] }}
        a text
    {{ x.l[1:] }}
        a list of texts
    {{ x.t[:3] }}
        a text
    {{ x.n + 1 }}
        a whole number
    {{ x.n + 0.5 }}
        a number
    {{ x.n / 2 }}
        a number
    {{ x.n // 2 }}
        a whole number
    {{ -x.n }}
        a whole number
    {{ x.t + '!' }}
        a text
    {{ x.t ~ x.n }}
        a text
    {{ x.l + ['more'] }}
        a list of texts
    {{ x.n > 3 and x.b }}
        true or false
    {{ not x.l }}
        true or false
    {{ x.w == 'low' }}
        true or false
    {{ 'a' in x.l }}
        true or false
    {{ 'a' in x.t }}
        true or false
    {{ 'name' in x.d }}
        true or false
    {{ x.w in ['low', 'high'] }}
        true or false
    {{ 0 < x.n < 10 }}
        true or false
    {{ x.n if x.b else x.t }}
        a whole number or a text
    {{ x.t or 'fallback' }}
        a text
    {{ [1, 'a'] }}
        a list of whole numbers or texts
    {{ [1, 'a'][1] }}
        the text `a`
    {{ {'a': x.n, 'b': x.l} }}
        a mapping with `a` and `b`
    {{ {'a': x.n}.a }}
        a whole number
    {{ x.z | default('-') }}
        a text
    {{ x.o | default(3) }}
        a text or a whole number
    {{ x.d.boss.name | default('-') }}
        a text
    {{ x.t | upper | trim | length }}
        a whole number
    {{ x.t | split(',') }}
        a list of texts
    {{ x.n | round(1) }}
        a number
    {{ x.f | round }}
        a whole number
    {{ x.l | first }}
        a text
    {{ x.p | first }}
        a mapping with `name`, `age` and `boss`
    {{ x.l | join(', ') }}
        a text
    {{ x.p | map(attribute='name') }}
        a list of texts
    {{ x.p | map(attribute='boss.name', default='-') }}
        a list of texts
    {{ x.l | map('upper') }}
        a list of texts
    {{ x.l | map('length') }}
        a list of whole numbers
    {{ x.p | sort(attribute='age') | map(attribute='name') | first }}
        a text
    {{ x.m | sum }}
        a whole number
    {{ x.p | sum(attribute='age') }}
        a whole number
    {{ x.p | selectattr('age', 'gt', 3) | list }}
        a list of mappings with `name`, `age` and `boss`
    {{ x.m | select('odd') }}
        a list of whole numbers
    {{ x.l | batch(2) }}
        a list of lists of texts
    {{ x.d | items }}
        a list of lists of texts or whole numbers or mappings or nulls
    {{ x.v | values }}
        a list of whole numbers
    {{ x.d | list }}
        a list of texts
    {{ x | tojson }}
        a text
    {{ x.t | fromjson }}
        a value of any type
    {{ range(3) }}
        a list of whole numbers
    {{ x.z is none }}
        true or false
    {{ x.n is odd }}
        true or false
    {{ x.t | int }}
        a whole number
    {{ x.t | int('none') }}
        a whole number or the text `none`
    {{ x.l | reverse }}
        a list of texts
    {{ x.z if x.z is not none else '' }}
        a text
    {{ x.z | upper if x.z else '' }}
        a text
    {{ x.z is none or x.z | length > 3 }}
        true or false
    {{ x.z is not none and x.z > 'a' }}
        true or false
    {{ x.d.boss.name if x.d.boss else '' }}
        a text
    {{ x.o if x.o is defined else '' }}
        a text
    {{ x.z == none }}
        true or false
    {{ x.z != none and x.z | upper == 'A' }}
        true or false
    {{ x.d[x.t] }}
        a value of any type
    {{ x.l[x.n] }}
        a text
    {{ not (x.z is none) and x.z[0] }}
        true or false or a text
    {{ x.z in ['a', 'b'] and x.z | upper }}
        true or false or a text
    {{ x.z == 'a' and x.z | upper }}
        true or false or a text
    {{ null }}
        null
    "#);
}

#[test]
fn what_is_said_of_names() {
    insta::assert_snapshot!(all_said(VALUE, &[
        "{{ x.nn }}", "{{ x.colour }}", "{{ x.d.nam }}", "{{ x.p[0].nam }}", "{{ x.p.name }}", "{{ x.t.length }}",
        "{{ x.n[0] }}", "{{ x.d[0] }}", "{{ x.b.x.y }}", "{{ (x.p | first).nmae }}", "{{ {'a': 1}.b }}",
        "{{ x.p | map(attribute='nam') }}", "{{ x.p | map(attribute='boss.nam') }}", "{{ x.p | selectattr('agee') }}",
        "{{ x.o }}", "{{ x.o ~ x.o }}", "{{ x.nn | default('') }}", "{{ x.nn is defined }}",
        "{{ x.d.boss.name }}", "{{ (x.z or x.n).x }}", "{{ x[x.b] }}", "{{ x.l[x.l] }}",
    ]), @r#"
    {{ x.nn }}
        a value of any type
        UnknownName `nn` `x` has no field `nn` [there is `n`, `f`, `t`, `w`, `b`, `l`, `m`, `p`, `d`, `v` …]
    {{ x.colour }}
        a value of any type
        UnknownName `colour` `x` has no field `colour` [there is `n`, `f`, `t`, `w`, `b`, `l`, `m`, `p`, `d`, `v` …]
    {{ x.d.nam }}
        a value of any type
        UnknownName `nam` `x.d` has no field `nam` [did you mean `name`?]
    {{ x.p[0].nam }}
        a value of any type
        UnknownName `nam` `x.p[0]` has no field `nam` [did you mean `name`?]
    {{ x.p.name }}
        a value of any type
        UnknownName `name` `x.p` is a list and has no field `name` [take one entry, `[0]`, or of each its field: `| map(attribute='name')`]
    {{ x.t.length }}
        a value of any type
        UnknownName `length` `x.t` is a text and has no field `length`
    {{ x.n[0] }}
        a value of any type
        UnknownName `0` `x.n` is a whole number and has no entry 0
    {{ x.d[0] }}
        a value of any type
        UnknownName `0` `x.d` is a mapping and has no entry 0
    {{ x.b.x.y }}
        a value of any type
        UnknownName `x` `x.b` is true or false and has no field `x`
    {{ (x.p | first).nmae }}
        a value of any type
        UnknownName `nmae` `(x.p | first)` has no field `nmae` [did you mean `name`?]
    {{ {'a': 1}.b }}
        a value of any type
        UnknownName `b` `{'a': 1}` has no field `b` [there is `a`]
    {{ x.p | map(attribute='nam') }}
        a list
        UnknownName `nam` an entry of the list has no field `nam` [did you mean `name`?]
    {{ x.p | map(attribute='boss.nam') }}
        a list
        UnknownName `nam` `boss` has no field `nam` [did you mean `name`?]
    {{ x.p | selectattr('agee') }}
        a list of mappings with `name`, `age` and `boss`
        UnknownName `agee` an entry of the list has no field `agee` [did you mean `age`?]
    {{ x.o }}
        a text
        MayBeMissing `o` `x.o` may be missing [provide for it with `| default(…)`, or make it required]
    {{ x.o ~ x.o }}
        a text
        MayBeMissing `o` `x.o` may be missing [provide for it with `| default(…)`, or make it required]
    {{ x.nn | default('') }}
        a value of any type
        UnknownName `nn` `x` has no field `nn` [there is `n`, `f`, `t`, `w`, `b`, `l`, `m`, `p`, `d`, `v` …]
    {{ x.nn is defined }}
        true or false
        UnknownName `nn` `x` has no field `nn` [there is `n`, `f`, `t`, `w`, `b`, `l`, `m`, `p`, `d`, `v` …]
    {{ x.d.boss.name }}
        a text
        MayBeNull `boss` `x.d.boss` may be null, and then has no `name` [provide for it with `| default(…)`, or ask `is not none` before]
    {{ (x.z or x.n).x }}
        a value of any type
        UnknownName `x` `(x.z or x.n)` is a text or a whole number and has no field `x`
    {{ x[x.b] }}
        a value of any type
        OperatorDoesNotFit `x.b` a part is read with a name or a number in brackets, this is true or false
    {{ x.l[x.l] }}
        a text
        OperatorDoesNotFit `x.l` a part is read with a name or a number in brackets, this is a list of texts
    "#);
}

#[test]
fn what_is_said_of_comparisons() {
    insta::assert_snapshot!(all_said(VALUE, &[
        "{{ x.n == 'a' }}", "{{ 'a' == x.n }}", "{{ x.n > '3' }}", "{{ x.n == x.t }}", "{{ x.l == 'a' }}", "{{ x.b == 'true' }}",
        "{{ x.w == 'hihg' }}", "{{ x.w != 'nothing' }}", "{{ 'lwo' == x.w }}", "{{ x.w in ['low', 'hihg'] }}",
        "{{ x.n in ['1', 2] }}", "{{ x.n in x.l }}", "{{ 'a' in x.n }}", "{{ x.n in x.t }}", "{{ 1 in x.d }}", "{{ x.l < x.l }}",
        "{{ x.d > 1 }}", "{{ x.b < 1 }}", "{{ x.z > 'a' }}", "{{ 'a' in x.z }}", "{{ x.z in x.t }}", "{{ 1 < x.n < 'a' }}",
        "{{ (x.p | first).name == 1 }}", "{{ x.p | length == '1' }}", "{{ (x.w | upper) == 'LWO' }}",
    ]), @r#"
    {{ x.n == 'a' }}
        true or false
        UnlikeComparison `'a'` this is a text, and `x.n` is a whole number [compare values of one type]
    {{ 'a' == x.n }}
        true or false
        UnlikeComparison `'a'` this is a text, and `x.n` is a whole number [compare values of one type]
    {{ x.n > '3' }}
        true or false
        UnlikeComparison `'3'` this is a text, and `x.n` is a whole number [compare values of one type]
    {{ x.n == x.t }}
        true or false
        UnlikeComparison `x.t` this is a text, and `x.n` is a whole number [compare values of one type]
    {{ x.l == 'a' }}
        true or false
        UnlikeComparison `'a'` this is a text, and `x.l` is a list [compare values of one type]
    {{ x.b == 'true' }}
        true or false
        UnlikeComparison `'true'` this is a text, and `x.b` is true or false [compare values of one type]
    {{ x.w == 'hihg' }}
        true or false
        UnlikeComparison `'hihg'` `x.w` is never `hihg` [did you mean `high`?]
    {{ x.w != 'nothing' }}
        true or false
        UnlikeComparison `'nothing'` `x.w` is never `nothing` [it is `low` or `high`]
    {{ 'lwo' == x.w }}
        true or false
        UnlikeComparison `'lwo'` `x.w` is never `lwo` [did you mean `low`?]
    {{ x.w in ['low', 'hihg'] }}
        true or false
        UnlikeComparison `'hihg'` `x.w` is never `hihg` [did you mean `high`?]
    {{ x.n in ['1', 2] }}
        true or false
        UnlikeComparison `'1'` this is a text, and `x.n` is a whole number [compare values of one type]
    {{ x.n in x.l }}
        true or false
        UnlikeComparison `x.n` this is a whole number, and `x.l` is a list of texts [look for what can be in it]
    {{ 'a' in x.n }}
        true or false
        OperatorDoesNotFit `x.n` `in` looks into a text, a list or a mapping, this is a whole number
    {{ x.n in x.t }}
        true or false
        OperatorDoesNotFit `x.n` `in` looks for a text here, this is a whole number
    {{ 1 in x.d }}
        true or false
        OperatorDoesNotFit `1` `in` looks for a text here, this is a whole number
    {{ x.l < x.l }}
        true or false
        UnlikeComparison `x.l` `<` compares numbers or texts, this is a list of texts
    {{ x.d > 1 }}
        true or false
        UnlikeComparison `x.d` `>` compares numbers or texts, this is a mapping with `name`, `age` and `boss`
    {{ x.b < 1 }}
        true or false
        UnlikeComparison `x.b` `<` compares numbers or texts, this is true or false
    {{ x.z > 'a' }}
        true or false
        MayBeNull `z` `x.z` may be null; `>` cannot compare null [provide for it with `| default(…)`, or ask `is not none` before]
    {{ 'a' in x.z }}
        true or false
        MayBeNull `z` `x.z` may be null; `in` cannot look into null [provide for it with `| default(…)`, or ask `is not none` before]
    {{ x.z in x.t }}
        true or false
        MayBeNull `z` `x.z` may be null; `in` looks for a text here [provide for it with `| default(…)`, or ask `is not none` before]
    {{ 1 < x.n < 'a' }}
        true or false
        UnlikeComparison `'a'` this is a text, and `x.n` is a whole number [compare values of one type]
    {{ (x.p | first).name == 1 }}
        true or false
        UnlikeComparison `1` this is a whole number, and `(x.p | first).name` is a text [compare values of one type]
    {{ x.p | length == '1' }}
        true or false
        UnlikeComparison `'1'` this is a text, and `x.p | length` is a whole number [compare values of one type]
    {{ (x.w | upper) == 'LWO' }}
        true or false
    "#);
}

#[test]
fn what_is_said_of_operators() {
    insta::assert_snapshot!(all_said(VALUE, &[
        "{{ x.t + 1 }}", "{{ 1 + x.t }}", "{{ x.n + x.l }}", "{{ x.d + 1 }}", "{{ x.t * 2 }}", "{{ x.t - x.l }}", "{{ -x.t }}",
        "{{ x.z + 'a' }}", "{{ x.d.boss.name + 'a' }}", "{{ x.d[1:] }}", "{{ x.l['a':] }}", "{{ {x.n: 1} }}",
        "{{ (x.t + 1) * 2 == 'a' }}",
    ]), @r#"
    {{ x.t + 1 }}
        a value of any type
        OperatorDoesNotFit `1` `+` cannot join a text and a whole number [to join texts, write `~`]
    {{ 1 + x.t }}
        a value of any type
        OperatorDoesNotFit `x.t` `+` cannot join a whole number and a text [to join texts, write `~`]
    {{ x.n + x.l }}
        a value of any type
        OperatorDoesNotFit `x.l` `+` cannot join a whole number and a list of texts
    {{ x.d + 1 }}
        a value of any type
        OperatorDoesNotFit `x.d` `+` needs numbers, texts or lists, this is a mapping with `name`, `age` and `boss`
    {{ x.t * 2 }}
        a value of any type
        OperatorDoesNotFit `x.t` `*` needs numbers, this is a text [make a number of it with `| int` or `| float`]
    {{ x.t - x.l }}
        a value of any type
        OperatorDoesNotFit `x.t` `-` needs numbers, this is a text [make a number of it with `| int` or `| float`]
        OperatorDoesNotFit `x.l` `-` needs numbers, this is a list of texts
    {{ -x.t }}
        a value of any type
        OperatorDoesNotFit `x.t` `-` needs numbers, this is a text [make a number of it with `| int` or `| float`]
    {{ x.z + 'a' }}
        a text
        MayBeNull `z` `x.z` may be null; `+` cannot work on null [provide for it with `| default(…)`, or ask `is not none` before]
    {{ x.d.boss.name + 'a' }}
        a text
        MayBeNull `boss` `x.d.boss` may be null, and then has no `name` [provide for it with `| default(…)`, or ask `is not none` before]
    {{ x.d[1:] }}
        a value of any type
        OperatorDoesNotFit `x.d` only a list or a text can be cut, this is a mapping with `name`, `age` and `boss`
    {{ x.l['a':] }}
        a list of texts
        OperatorDoesNotFit `'a'` a part is cut out by whole numbers, this is the text `a`
    {{ {x.n: 1} }}
        a mapping
        OperatorDoesNotFit `x.n` a key must be a text, this is a whole number
    {{ (x.t + 1) * 2 == 'a' }}
        true or false
        OperatorDoesNotFit `1` `+` cannot join a text and a whole number [to join texts, write `~`]
        UnlikeComparison `'a'` this is a text, and `(x.t + 1) * 2` is a number [compare values of one type]
    "#);
}

#[test]
fn what_is_said_of_filters_tests_and_functions() {
    insta::assert_snapshot!(all_said(VALUE, &[
        "{{ x.l | upper }}", "{{ x.t | join(', ') }}", "{{ x.t | round }}", "{{ x.n | length }}", "{{ x.d | first }}",
        "{{ x.l | items }}", "{{ x.n | split }}", "{{ x.b | lower }}", "{{ x.z | upper }}", "{{ x.t is odd }}",
        "{{ x.l | int }}", "{{ x.l | int(0) }}", "{{ x.l | sum }}", "{{ x.p | sum(attribute='name') }}", "{{ x.m | map('join') }}",
        "{{ x.l | map('uper') }}", "{{ x.l | select('od') }}", "{{ x.t | truncate('long') }}", "{{ x.t | truncate(2.5) }}",
        "{{ x.l | join(1) }}", "{{ x.t | replace(1, 'a') }}", "{{ range(x.t) }}", "{{ x.t | split(none) }}", "{{ range(x.z) }}",
        "{{ x.p | sort(attribute=1) }}", "{{ x.l | upper | length > 'a' }}",
    ]), @r#"
    {{ x.l | upper }}
        a value of any type
        FilterDoesNotFit `upper` `upper` needs a text, and `x.l` is a list of texts [apply it to each entry with `| map('…')`, or make a text with `| join(', ')`]
    {{ x.t | join(', ') }}
        a value of any type
        FilterDoesNotFit `join` `join` needs a list, and `x.t` is a text
    {{ x.t | round }}
        a value of any type
        FilterDoesNotFit `round` `round` needs a number, and `x.t` is a text
    {{ x.n | length }}
        a value of any type
        FilterDoesNotFit `length` `length` needs a text, a list or a map, and `x.n` is a whole number
    {{ x.d | first }}
        a value of any type
        FilterDoesNotFit `first` `first` needs a list or a text, and `x.d` is a mapping with `name`, `age` and `boss`
    {{ x.l | items }}
        a value of any type
        FilterDoesNotFit `items` `items` needs a map, and `x.l` is a list of texts [apply it to each entry with `| map('…')`, or make a text with `| join(', ')`]
    {{ x.n | split }}
        a value of any type
        FilterDoesNotFit `split` `split` needs a text, and `x.n` is a whole number
    {{ x.b | lower }}
        a value of any type
        FilterDoesNotFit `lower` `lower` needs a text, and `x.b` is true or false
    {{ x.z | upper }}
        a text
        MayBeNull `z` `x.z` may be null; `upper` cannot be applied to null [provide for it with `| default(…)`, or ask `is not none` before]
    {{ x.t is odd }}
        true or false
        FilterDoesNotFit `odd` `odd` needs a number, and `x.t` is a text
    {{ x.l | int }}
        a value of any type
        FilterDoesNotFit `int` `int` needs a text or a number, and `x.l` is a list of texts [apply it to each entry with `| map('…')`, or make a text with `| join(', ')`]
    {{ x.l | int(0) }}
        a whole number
    {{ x.l | sum }}
        a number
        FilterDoesNotFit `sum` `sum` adds numbers up, and an entry of this list is a text
    {{ x.p | sum(attribute='name') }}
        a number
        FilterDoesNotFit `sum` `sum` adds numbers up, and an entry of this list is a text
    {{ x.m | map('join') }}
        a list of texts
        FilterDoesNotFit `map` `join` needs a list, and an entry of this list is a whole number
    {{ x.l | map('uper') }}
        a list
        ArgumentDoesNotFit `uper` there is no filter `uper` [did you mean `upper`?]
    {{ x.l | select('od') }}
        a list of texts
        ArgumentDoesNotFit `od` there is no test `od` [did you mean `odd`?]
    {{ x.t | truncate('long') }}
        a text
        ArgumentDoesNotFit `'long'` `length` of `truncate` must be a whole number, this is the text `long` [it is written `truncate(length, end?)`]
    {{ x.t | truncate(2.5) }}
        a text
        ArgumentDoesNotFit `2.5` `length` of `truncate` must be a whole number, this is a number [it is written `truncate(length, end?)`]
    {{ x.l | join(1) }}
        a text
        ArgumentDoesNotFit `1` `separator` of `join` must be a text, this is a whole number [it is written `join(separator?, attribute?)`]
    {{ x.t | replace(1, 'a') }}
        a text
        ArgumentDoesNotFit `1` `from` of `replace` must be a text, this is a whole number [it is written `replace(from, to)`]
    {{ range(x.t) }}
        a list of whole numbers
        ArgumentDoesNotFit `x.t` `start` of `range` must be a whole number, this is a text [it is written `range(start, stop?, step?)`]
    {{ x.t | split(none) }}
        a list of texts
    {{ range(x.z) }}
        a list of whole numbers
        ArgumentDoesNotFit `x.z` `start` of `range` must be a whole number, this is a text or null [it is written `range(start, stop?, step?)`]
    {{ x.p | sort(attribute=1) }}
        a list of mappings with `name`, `age` and `boss`
        ArgumentDoesNotFit `1` `attribute` of `sort` must be the name of a field in quotes, this is a whole number [it is written `sort(attribute?, reverse?)`]
    {{ x.l | upper | length > 'a' }}
        true or false
        FilterDoesNotFit `upper` `upper` needs a text, and `x.l` is a list of texts [apply it to each entry with `| map('…')`, or make a text with `| join(', ')`]
        UnlikeComparison `'a'` this is a text, and `x.l | upper | length` is a whole number [compare values of one type]
    "#);
}

#[test]
fn what_is_said_of_conditions() {
    insta::assert_snapshot!(all_said(CONDITION, &[
        "{{ x.b }}", "{{ x.n }}", "{{ x.l }}", "{{ x.b and x.l }}", "{{ x.t or x.b }}", "{{ not x.l }}", "{{ x.b if x.b else 'no' }}",
        "{{ x.o }}", "{{ x.z }}", "{{ 'true' }}", "{{ x.b == true }}", "{{ x.z is not none and x.z == 'a' }}",
    ]), @r#"
    {{ x.b }}
        true or false
    {{ x.n }}
        a whole number
        NotBoolean `x.n` a condition must be true or false, this is a whole number [compare it with something]
    {{ x.l }}
        a list of texts
        NotBoolean `x.l` a condition must be true or false, this is a list of texts [compare it with something]
    {{ x.b and x.l }}
        true or false
        NotBoolean `x.l` a condition must be true or false, this is a list of texts [compare it with something]
    {{ x.t or x.b }}
        true or false
        NotBoolean `x.t` a condition must be true or false, this is a text [compare it with something]
    {{ not x.l }}
        true or false
    {{ x.b if x.b else 'no' }}
        true or false or the text `no`
        NotBoolean `'no'` a condition must be true or false, this is the text `no` [compare it with something]
    {{ x.o }}
        a text
        NotBoolean `x.o` a condition must be true or false, this is a text [compare it with something]
        MayBeMissing `o` `x.o` may be missing [provide for it with `| default(…)`, or make it required]
    {{ x.z }}
        a text or null
        NotBoolean `x.z` a condition must be true or false, this is a text or null [compare it with something]
    {{ 'true' }}
        the text `true`
        NotBoolean `'true'` a condition must be true or false, this is the text `true` [compare it with something]
    {{ x.b == true }}
        true or false
    {{ x.z is not none and x.z == 'a' }}
        true or false
    "#);
}

#[test]
fn what_is_said_of_tags() {
    insta::assert_snapshot!(all_said(TEXT, &[
        "{% for p in x.p %}{{ p.nmae }}{{ loop.index + 1 }}{% endfor %}",
        "{% for p in x.t %}{{ p }}{% endfor %}",
        "{% for p in x.n %}{{ p.x }}{% endfor %}",
        "{% for key, value in x.v | items %}{{ key | upper }}{{ value + 1 }}{{ value | upper }}{{ value.a }}{% endfor %}",
        "{% for key in x.d %}{{ key | upper }}{% endfor %}",
        "{% for p in x.p if p.boss %}{{ p.boss.name }}{% endfor %}",
        "{% for p in x.p if not p.boss %}{{ p.boss.name }}{% endfor %}",
        "{% if x.z %}{{ x.z | upper }}{% else %}{{ x.z | lower }}{% endif %}",
        "{% if x.o is defined %}{{ x.o }}{% endif %}{{ x.o }}",
        "{% set a = x.n %}{{ a + 1 }}{{ a | join }}",
        "{% if x.b %}{% set a = x.n %}{% else %}{% set a = x.l %}{% endif %}{{ a | join }}",
        "{% with a = x.p[0] %}{{ a.name }}{{ a.nam }}{% endwith %}",
        "{% for p in x.p %}{% for p in p.name | list %}{{ p.x }}{% endfor %}{{ p.name }}{% endfor %}",
        "{{ x.z }} and {{ x.l }}",
        "{{ x.z }}",
    ]), @r#"
    {% for p in x.p %}{{ p.nmae }}{{ loop.index + 1 }}{% endfor %}
        a text
        UnknownName `nmae` `p` has no field `nmae` [did you mean `name`?]
    {% for p in x.t %}{{ p }}{% endfor %}
        a text
        NotAList `x.t` `for` goes through a list or a mapping, this is a text
    {% for p in x.n %}{{ p.x }}{% endfor %}
        a text
        NotAList `x.n` `for` goes through a list or a mapping, this is a whole number
    {% for key, value in x.v | items %}{{ key | upper }}{{ value + 1 }}{{ value | upper }}{{ value.a }}{% endfor %}
        a text
        UnknownName `a` `value` is a whole number and has no field `a`
    {% for key in x.d %}{{ key | upper }}{% endfor %}
        a text
    {% for p in x.p if p.boss %}{{ p.boss.name }}{% endfor %}
        a text
    {% for p in x.p if not p.boss %}{{ p.boss.name }}{% endfor %}
        a text
        MayBeNull `boss` `p.boss` may be null, and then has no `name` [provide for it with `| default(…)`, or ask `is not none` before]
    {% if x.z %}{{ x.z | upper }}{% else %}{{ x.z | lower }}{% endif %}
        a text
        MayBeNull `z` `x.z` may be null; `lower` cannot be applied to null [provide for it with `| default(…)`, or ask `is not none` before]
    {% if x.o is defined %}{{ x.o }}{% endif %}{{ x.o }}
        a text
        MayBeMissing `o` `x.o` may be missing [provide for it with `| default(…)`, or make it required]
    {% set a = x.n %}{{ a + 1 }}{{ a | join }}
        a text
        FilterDoesNotFit `join` `join` needs a list, and `a` is a whole number
    {% if x.b %}{% set a = x.n %}{% else %}{% set a = x.l %}{% endif %}{{ a | join }}
        a text
    {% with a = x.p[0] %}{{ a.name }}{{ a.nam }}{% endwith %}
        a text
        UnknownName `nam` `a` has no field `nam` [did you mean `name`?]
    {% for p in x.p %}{% for p in p.name | list %}{{ p.x }}{% endfor %}{{ p.name }}{% endfor %}
        a text
    {{ x.z }} and {{ x.l }}
        a text
    {{ x.z }}
        a text or null
        MayBeNull `z` `x.z` may be null; nothing would be left of this text [provide for it with `| default(…)`, or ask `is not none` before]
    "#);
}
