"""The grammar, and the tree that it gives: everything that `language.md` writes down parses."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lark
import pytest

from specc.syntax import tree as syntax
from specc.syntax.diagnostics import Diagnostic
from specc.syntax.parser import (
    _friendly,
    _grammar,
    grammar_text,
    parse,
    parse_expression,
)
from specc.syntax.source import Source, Span
from specc.syntax.statements import NESTING, RESERVED, STATEMENTS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(ROOT.glob("examples/*.spec"))

EVERYTHING = """
# Every form of every statement, also those whose words are not available yet.
model net
param width = 1_000 in [8, 16, 2^5]
param rate = 1e-3 in log(1e-5, 0.1)
param share = 0.5 in range(0, 1)
param label = "a \\"quoted\\" \\\\ path"   # a string
param flag = true
input image: real[1, 28, 28]
target digit: int[]
def activation swish(x, k=1.0) = x * sigmoid(k * x)
def loss bounded(prediction, target, k=2) = min((prediction - target)^2, k)
def schedule warm(lr, t, total) = lr * where(t < 5, t / 5, exp(-t / total))
block mlp(n, k=2 * width) {
  repeat(k) { h = linear(n, weight=he_normal(mode=fan_out), bias=none,) relu }
}
block plain { identity }
layers {
  flatten
  encoder = mlp(64)
  residual { linear(64) tanh }
  concat(axis=0) { linear(2) } { relu linear(2) }
  reshape([2, 2]) dropout(0.5)
  last = linear(10)
}
loss cross_entropy(label_smoothing=0.1)
optimizer adamw(lr=rate, beta1=0.9)
schedule cosine(end=-0.0 + 1e-6, per=step, warmup=5)
early_stopping(monitor=val_accuracy, patience=20)
train(epochs=200, batch_size=1, seed=0)
metric accuracy(threshold=0.5) metric f1
data csv("f.csv", target="price", features=["a", "b"], train=1000, data=2, in=3)
"""


def tree_of(text: str) -> syntax.Tree:
    tree, faults = parse(Source("net.spec", text))
    assert not faults, [fault.message for fault in faults]
    return tree


def expression(text: str) -> syntax.Expr:
    made = parse_expression(Source("net.spec", text), 0)
    assert not isinstance(made, Diagnostic), made.message
    return made


def bare(node: Any) -> Any:
    """Take every span off a tree, so that two can be compared."""
    if isinstance(node, tuple):
        return tuple(map(bare, node))
    if not dataclasses.is_dataclass(node):
        return node
    fields = [f.name for f in dataclasses.fields(node) if f.name != "span"]
    return (type(node).__name__, *(bare(getattr(node, name)) for name in fields))


def nodes(node: Any) -> Iterator[Any]:
    """Give every node below one, itself included."""
    if isinstance(node, tuple):
        for item in node:
            yield from nodes(item)
    elif dataclasses.is_dataclass(node) and not isinstance(node, Span | Source):
        yield node
        for field in dataclasses.fields(node):
            yield from nodes(getattr(node, field.name))


def test_the_grammar_has_no_conflict_not_even_between_terminals(caplog):
    with caplog.at_level(logging.DEBUG, logger="lark"):
        made = lark.Lark(
            grammar_text(),
            parser="lalr",
            lexer="basic",
            start=["file", "fragment", "expr"],
            strict=True,
        )
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert made.parse(EVERYTHING, start="file")


def test_the_grammar_knows_no_word_of_the_vocabulary():
    from specc.library import VOCABULARY

    kinds = VOCABULARY.items()
    vocabulary = {w for kind, words in kinds if kind != "setting" for w in words}
    words = {t.pattern.value for t in lark.Lark(grammar_text(), start="file").terminals}
    assert not vocabulary & words
    assert words >= RESERVED


def test_every_statement_of_the_language_parses():
    tree = tree_of(EVERYTHING)
    kinds = {type(statement) for statement in tree.statements}
    assert kinds == set(syntax.Statement.__args__) - {syntax.Broken}
    written = {s.span.text.split("(")[0].split()[0] for s in tree.statements}
    assert written == set(STATEMENTS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_parses(path):
    tree_of(path.read_text())


def test_a_whole_file_and_its_statements_agree():
    """`file` is documentation: what specc parses piece by piece is the same language."""
    whole = lark.Lark(grammar_text(), parser="lalr", lexer="basic", start="file")
    for path in [*EXAMPLES, *sorted(ROOT.glob("tests/check/diagnostics/*.spec"))]:
        text = path.read_text()
        _, faults = parse(Source(path.name, text))
        try:
            whole.parse(text)
            parses = True
        except lark.UnexpectedInput:
            parses = False
        beyond = {"E003", "E006", "E009"}  # not matters of grammar
        if parses:
            assert {fault.code for fault in faults} <= beyond, path.name
        elif not text.lstrip().startswith(("input", "param")):
            empty = not "".join(x for x in text.split("\n") if not x.startswith("#"))
            assert faults or empty or path.stem.startswith("model_"), path.name


SPANNED = [EVERYTHING, *(path.read_text() for path in EXAMPLES)]


@pytest.mark.parametrize(
    "text", SPANNED, ids=["everything", *(p.stem for p in EXAMPLES)]
)
def test_every_span_holds_its_node_and_nothing_else(text):
    seen = 0
    for node in nodes(tree_of(text).statements):
        if isinstance(node, syntax.Parameter):
            continue
        seen += 1
        inside = node.span.text
        assert inside == inside.strip() and inside
        match node:
            case syntax.Name(name):
                assert inside == name
            case syntax.Number(digits):
                assert inside == digits
            case syntax.Body():
                assert inside[0] + inside[-1] == "{}"
            case syntax.Text() | syntax.Word() | syntax.Listing() | syntax.Negative():
                assert bare(expression(inside)) == bare(node)
            case syntax.Binary():
                assert bare(expression(inside)) == bare(node)
            case syntax.Entry(name):
                assert inside.startswith(name.text)
                again = tree_of(
                    f"loss {inside}" if name.text not in STATEMENTS else inside
                )
                assert bare(again.statements[0].entry) == bare(node)
            case syntax.Node():
                layers = tree_of(f"layers {{ {inside} }}").statements[0]
                assert bare(layers.body.nodes[0]) == bare(node)
            case syntax.Argument():
                entry = tree_of(f"loss f({inside})").statements[0].entry
                assert bare(entry.arguments[0]) == bare(node)
            case syntax.Choices() | syntax.Range():
                param = tree_of(f"param p = 1 in {inside}").statements[0]
                assert bare(param.domain) == bare(node)
            case _:
                assert bare(tree_of(inside).statements) == (bare(node),)
    assert seen > 40


def test_spans_of_nodes_lie_within_their_parents_and_in_order():
    for node in nodes(tree_of(EVERYTHING).statements):
        children = [getattr(node, f.name) for f in dataclasses.fields(node)]
        spans = [
            child.span
            for field in children
            for child in (field if isinstance(field, tuple) else (field,))
            if hasattr(child, "span")
        ]
        spans.sort(key=lambda span: span.start)
        ends = [span.end for span in spans]
        assert all(e <= s.start for e, s in zip(ends, spans[1:], strict=False))
        if spans and hasattr(node, "span"):
            assert node.span.start <= spans[0].start and ends[-1] <= node.span.end


@pytest.mark.parametrize("word", sorted({*STATEMENTS, "in", "real", "int"}))
def test_a_reserved_word_ends_at_a_word_boundary(word):
    entry = tree_of(f"layers {{ {word}s({word}_2=1) _{word} }}").statements[0]
    assert [n.entry.name.text for n in entry.body.nodes] == [f"{word}s", f"_{word}"]


def test_statements_glued_to_their_names_are_unknown_words():
    _, faults = parse(Source("net.spec", "model net\ninputs x: real[2]\n"))
    assert [(f.code, f.span.text) for f in faults] == [("E007", "inputs")]


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_reserved_words_are_free_as_names_of_arguments(word):
    entry = tree_of(f"data f({word}=1, a=2, {word}=b)").statements[0].entry
    assert [argument.name.text for argument in entry.arguments] == [word, "a", word]


def test_comments_and_white_space_stand_anywhere():
    packed = EVERYTHING.replace("\\", "").replace('"quoted"', "quoted")
    tokens = [str(t) for t in lark.Lark(grammar_text(), start="file").lex(packed)]
    spread = " # a comment (with { brackets\n\t\f".join(tokens) + "#"
    close = " ".join(tokens)
    expected = bare(tree_of(packed).statements)
    assert bare(tree_of(spread).statements) == expected
    assert bare(tree_of(close).statements) == expected
    assert bare(tree_of(packed.replace("\n", "\r\n")).statements) == expected


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("-x^2", "-(x^2)"),
        ("2^-x^2", "2^(-(x^2))"),
        ("2^3^4", "2^(3^4)"),
        ("-2*3", "(-2)*3"),
        ("--x", "-(-x)"),
        ("1-2-3", "(1-2)-3"),
        ("8/4/2", "(8/4)/2"),
        ("1+2*3", "1+(2*3)"),
        ("a*-b", "a*(-b)"),
        ("a+b<c*d", "(a+b)<(c*d)"),
        ("-a>=b^2", "(-a)>=(b^2)"),
        ("f(a)^2", "(f(a))^2"),
        ("[1+2]", "[(1+2)]"),
    ],
)
def test_precedence(text, grouped):
    assert bare(expression(text)) == bare(expression(grouped))


@pytest.mark.parametrize(
    "text", ["a<b<c", "a==b==c", "1 2", "", "+1", "a b", "^2", "f("]
)
def test_what_is_no_expression(text):
    assert isinstance(parse_expression(Source("-D", text), 0), Diagnostic)


@pytest.mark.parametrize(
    "text",
    ["0", "12", "1_000", "0.5", "1e-3", "1E+3", "1.5e3", "007", "1_0.2_5", "1e999"],
)
def test_numbers(text):
    assert bare(expression(text)) == ("Number", text)


@pytest.mark.parametrize(
    "text", [".5", "1.", "1__0", "_1.5", "1e", "0x10", "1_", "1.2.3"]
)
def test_what_is_no_number(text):
    made = parse_expression(Source("-D", text), 0)
    assert isinstance(made, Diagnostic)
    assert made.code in {"E001", "E003", "E004"}


@pytest.mark.parametrize(
    ("text", "value"), [(r'"a\"b"', 'a"b'), (r'"\\"', "\\"), ('""', ""), ('"#("', "#(")]
)
def test_strings(text, value):
    assert bare(expression(text)) == ("Text", value)


@pytest.mark.parametrize("opened", ["(", "[", "f(", "-"])
def test_nesting_ends_at_64(opened):
    closed = {"(": ")", "[": "]", "f(": ")", "-": ""}[opened]
    deepest = opened * NESTING + "1" + closed * NESTING
    expression(deepest)
    made = parse_expression(Source("-D", opened + deepest + closed), 0)
    assert isinstance(made, Diagnostic) and made.code == "E006"


@pytest.mark.parametrize(
    "text",
    ["(" * 100_000, "{[(" * 50_000, "f(1," * 50_000, "1+" * 99_999],
    ids=["parentheses", "brackets", "calls", "sum"],
)
def test_nesting_beyond_all_bounds_is_an_error_like_any_other(text):
    _, faults = parse(Source("net.spec", f"model a\nlayers {{ linear({text}"))
    assert [fault.code for fault in faults] in (["E006"], ["E005"])


def test_no_message_has_the_name_of_a_terminal():
    """What may follow in any state of the parser is told in signs and words of a spec."""
    terminals = {t.name: t.pattern for t in _grammar().terminals}
    written = {p.value for p in terminals.values() if p.type == "str"}
    states = _grammar().parser.parser._parse_table.states.values()
    names = {*terminals, "$END"}
    for accepted in [{name} for name in names] + [names & set(s) for s in states]:
        if accepted - {"__IGNORE_0", "__IGNORE_1"}:
            told = _friendly(accepted - {"__IGNORE_0", "__IGNORE_1"})
            assert set(re.findall("`(.*?)`", told)) <= written, told
            bare = set(re.sub("`.*?`", "", told).split()) - {"a"}
            assert not bare & {n for n in names if n not in {"NAME", "NUMBER"}}, told


def test_an_error_in_one_statement_leaves_the_others_readable():
    text = "model a\ninput x real[2]\nloss mse)\nlos mse\nparam = 3\noptimizer sgd(lr=.1)\n"
    tree, faults = parse(Source("net.spec", text))
    assert sorted(fault.span.line for fault in faults) == [2, 3, 5, 6]
    assert [type(s).__name__ for s in tree.statements] == ["ModelName", *["Broken"] * 5]
