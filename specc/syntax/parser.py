"""Source -> syntax tree, with every syntax error of the file.

The only module that imports lark. Tokens are cut into statements (`statements.py`), and each is
parsed alone, so that an error in one leaves the others intact. Invariant: `parse` returns for any
text, and a tree is never deeper than `statements.NESTING`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Set
from contextlib import contextmanager
from functools import cache
from itertools import islice, zip_longest
from typing import Any

import lark
import lark.lexer
from lark.lexer import BasicLexer, LexerThread

from specc.syntax.diagnostics import Diagnostic, either, error, quoted
from specc.syntax.resources import folder, keep, kept
from specc.syntax.slips import hint
from specc.syntax.source import Source, Span
from specc.syntax.spelling import did_you_mean
from specc.syntax.statements import (
    CALLED,
    RESERVED,
    STATEMENTS,
    Fragment,
    Token,
    bracket_fault,
    meant,
    split,
)
from specc.syntax.stray_characters import invisible, malformed_number, unexpected
from specc.syntax.tree import Broken, Expr, Statement, Tree
from specc.syntax.tree_builder import build


def parse(source: Source) -> tuple[Tree, tuple[Diagnostic, ...]]:
    """Parse a file; a statement with a syntax error is `Broken` in the tree."""
    tokens, faults = _tokens(source)
    damage = [fault.span.start for fault in faults]
    statements: list[Statement] = []
    fragments = split(tokens)
    unbalanced = False
    for fragment, after in zip_longest(fragments, fragments[1:]):
        end = after.span.start if after else len(source.text)
        parsed = _parsed(fragment, "fragment")
        damaged = any(fragment.span.start <= at < end for at in damage)
        starts = fragment.tokens[0].text in STATEMENTS
        unbalanced = unbalanced and not starts  # the rest of a statement cut short
        if isinstance(parsed, Diagnostic) and not damaged and not unbalanced:
            faults.append(parsed)
            unbalanced = parsed.code == "E005"
        if isinstance(parsed, Diagnostic) or damaged:
            statements.append(_broken(fragment))
        else:
            statements.append(build(parsed, source))
    return Tree(source, tuple(statements)), tuple(faults)


def _broken(fragment: Fragment) -> Broken:
    """Keep the name that a broken statement would define, so that its uses cause no errors."""
    named = [token.text for token in fragment.tokens[:3] if token.kind == "NAME"]
    word = fragment.tokens[0].text
    return Broken(word, named[0] if named else None, fragment.span)


def parse_expression(source: Source, start: int) -> Expr | Diagnostic:
    """Parse a source from offset `start` to its end as one expression."""
    tokens, faults = _tokens(source)
    if faults:
        return faults[0]
    kept = tuple(token for token in tokens if token.span.end > start)
    if not kept:
        end = len(source.text)
        return error("E004", "expected a value, found nothing", Span(source, end, end))
    parsed = _parsed(Fragment(kept), "expr")
    if isinstance(parsed, Diagnostic):
        return parsed
    expression: Expr = build(parsed, source)
    return expression


def grammar_text() -> str:
    """Return the text of the grammar that is part of specc."""
    return (folder("grammar") / "specc.lark").read_text(encoding="utf-8")


_FAULTS = 50
"""With more stray characters than this, the file is taken for a binary one."""


_OPTIONS: dict[str, Any] = {
    "parser": "lalr",
    "lexer": "basic",
    "start": ["fragment", "expr"],
    "propagate_positions": True,
    "maybe_placeholders": True,
}


@cache
def _grammar() -> lark.Lark:
    """Return the parser, from the cached tables if they are of this grammar and this lark."""
    text = grammar_text()
    source = f"{lark.__version__} {_OPTIONS} {text}"
    tables = kept("grammar", source)
    with _without_comparing():
        if tables is not None:
            return lark.Lark.load(io.BytesIO(tables))
        made = lark.Lark(text, **_OPTIONS)
    saved = io.BytesIO()
    made.save(saved)
    keep("grammar", source, saved.getvalue())
    return made


@cache
def _lexer() -> BasicLexer:
    """Return the lexer, built once; `Lark.lex` would build it for each text."""
    with _without_comparing():
        return BasicLexer(_grammar().lexer_conf)


@contextmanager
def _without_comparing() -> Iterator[None]:
    """Keep lark from comparing all terminals, as it does if interegular is installed.

    It takes 0.2 s; a test does it once, with `strict=True`.
    """
    compares, lark.lexer.has_interegular = lark.lexer.has_interegular, False
    try:
        yield
    finally:
        lark.lexer.has_interegular = compares


def _tokens(source: Source) -> tuple[list[Token], list[Diagnostic]]:
    """Cut a text into tokens; other characters are reported and skipped."""
    faults = list(islice(invisible(source), _FAULTS + 1))
    text = source.text
    for fault in faults:
        text = _without(text, fault.span)
    while len(faults) <= _FAULTS:
        try:
            found = _cut(text)
            break
        except lark.UnexpectedCharacters as stop:
            fault = unexpected(source, stop.pos_in_stream or 0)
            faults.append(fault)
            text = _without(text, fault.span)
    else:
        return [], faults  # a binary file
    tokens = [_token(source, token) for token in found]
    for token, after in zip(tokens, tokens[1:], strict=False):
        glued = token.span.end == after.span.start
        if token.kind == "NUMBER" and glued and after.kind in {"NAME", "NUMBER"}:
            start, end = token.span.start, after.span.end
            faults.append(malformed_number(source, start, end))
    return tokens, faults


def _cut(text: str) -> list[lark.Token]:
    thread: Any = LexerThread.from_text(_lexer(), text)
    return list(thread.lex(None))


def _token(source: Source, token: lark.Token) -> Token:
    assert token.start_pos is not None and token.end_pos is not None
    return Token(token.type, str(token), Span(source, token.start_pos, token.end_pos))


def _without(text: str, span: Span) -> str:
    return text[: span.start] + " " * (span.end - span.start) + text[span.end :]


def _parsed(fragment: Fragment, start: str) -> Any:
    """Return lark's tree of a fragment, or the error in it."""
    fault = bracket_fault(fragment)
    if fault is not None:
        return fault
    parser: Any = _grammar().parse_interactive(start=start)  # untyped in lark
    for token in fragment.tokens:
        given = lark.Token(
            token.kind, token.text, token.span.start, end_pos=token.span.end
        )
        try:
            parser.feed_token(given)
        except lark.UnexpectedToken:
            accepted = parser.accepts() or _accepted(fragment, token, start)
            return _unexpected(token, accepted, fragment)
    try:
        return parser.feed_eof()
    except lark.UnexpectedToken:
        return _ended(fragment, parser.accepts())


def _accepted(fragment: Fragment, end: Token, start: str) -> Set[str]:
    """Return what could follow the tokens before `end`, which has led the parser astray."""
    parser: Any = _grammar().parse_interactive(start=start)
    for token in fragment.tokens[: fragment.tokens.index(end)]:
        parser.feed_token(lark.Token(token.kind, token.text))
    accepted: Set[str] = parser.accepts()
    return accepted


def _unexpected(token: Token, accepted: Set[str], fragment: Fragment) -> Diagnostic:
    """Return the error about an unexpected token."""
    if token is fragment.tokens[0] and "MODEL" in accepted:
        label = did_you_mean(token.text, STATEMENTS)
        if token.text.lower() in CALLED:
            label = f"`{token.text}` is called `{meant(token.text)}` here"
        if token.kind != "NAME":
            message = f"expected a statement, found {quoted(token.text)}"
            return error("E004", message, token.span)
        message = f"unknown statement {quoted(token.text)}"
        note = "" if label else "`specc explain E007` lists the statements"
        return error("E007", message, token.span, label, note)
    if token.text in RESERVED and "NAME" in accepted:
        message = f"`{token.text}` is a reserved word of the language"
        label = (
            "choose another name" if "NUMBER" not in accepted else "this is not a value"
        )
        if token.text in ("real", "int") and fragment.tokens.index(token) == 1:
            label = f"write a name before it: `x: {token.text}`"
        return error("E008", message, token.span, label)
    expected = _friendly(accepted)
    if fragment.tokens[0].text not in STATEMENTS:
        expected = expected.replace("the next statement", "the end")
    message = f"expected {expected}, found {quoted(token.text)}"
    place = fragment.tokens.index(token)
    return error("E004", message, token.span, hint(fragment.tokens, place, accepted))


def _ended(fragment: Fragment, accepted: Set[str]) -> Diagnostic:
    """Return the error about a statement that ends too early."""
    end = fragment.span.end
    span = Span(fragment.span.source, end, end)
    rest = span.source.text[end:].strip()
    found = "the next statement" if rest else "the end of the file"
    word = fragment.tokens[0].text
    where = f" in `{word}`" if word in STATEMENTS else ""
    if word not in STATEMENTS:
        found = "the end"
    message = f"expected {_friendly(accepted)}{where}, found {found}"
    tokens = fragment.tokens
    return error("E004", message, span, hint(tokens, len(tokens), accepted))


_VALUE = {"NUMBER", "STRING", "MINUS", "LPAR", "LSQB"}
_OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "CARET", "COMPARISON"}
_NAMES = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
    "COMPARISON": "a comparison",
    "$END": "the next statement",
}


@cache
def _spellings() -> dict[str, str]:
    """Return a description of each terminal, or its spelling in a spec."""
    terminals = {t.name: f"`{t.pattern.value}`" for t in _grammar().terminals}
    return terminals | _NAMES


def _friendly(accepted: Set[str]) -> str:
    """Return a list of what can follow, without names of terminals."""
    kinds = set(accepted)
    listed = []
    if kinds >= _VALUE:
        kinds -= {*_VALUE, "NAME", "LOG", "TARGET"}
        kinds -= {word.upper() for word in RESERVED}
        listed.append("a value")
    if kinds >= _OPERATORS:
        kinds -= _OPERATORS
        listed.append("an operator")
    if "NAME" in kinds:
        kinds -= {"TARGET"}
    listed += [_spellings()[kind] for kind in kinds]
    return either(sorted(listed))
