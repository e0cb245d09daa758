"""Tokens -> fragments, one for each statement; and errors in their brackets.

A statement begins at a reserved statement word outside brackets. If a bracket stays open, a
statement also begins at such a word that starts a line and continues as a statement does, so that
only the statement with the open bracket has an error. Invariant: the fragments contain every token
once, in order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from specc.syntax.diagnostics import Diagnostic, error
from specc.syntax.source import Span
from specc.syntax.spelling import nearest

STATEMENTS = (
    "model",
    "param",
    "input",
    "target",
    "def",
    "block",
    "layers",
    "loss",
    "optimizer",
    "schedule",
    "metric",
    "data",
    "early_stopping",
    "train",
)
CALLED = {
    "architecture": "layers",
    "const": "param",
    "criterion": "loss",
    "dataset": "data",
    "fit": "train",
    "function": "def",
    "hyperparameter": "param",
    "label": "target",
    "labels": "target",
    "let": "param",
    "lr_scheduler": "schedule",
    "network": "layers",
    "objective": "loss",
    "optim": "optimizer",
    "output": "target",
    "sequential": "layers",
    "training": "train",
}
"""The statement for words that other languages and frameworks have for it."""
RESERVED = frozenset((*STATEMENTS, "in", "real", "int", "activation", "range", "log"))
NESTING = 64
"""The largest depth of brackets, and the largest number of operators in an expression."""

_NAMING = frozenset({"model", "param", "input", "target", "block"})
_CLOSES = {")": "(", "]": "[", "}": "{"}
_OPERATORS = frozenset("+-*/^")


@dataclass(frozen=True)
class Token:
    """A word, number, string or sign; `kind` is its terminal in the grammar."""

    kind: str
    text: str
    span: Span


@dataclass(frozen=True)
class Fragment:
    """The tokens of one statement, at least one."""

    tokens: tuple[Token, ...]

    @property
    def span(self) -> Span:
        """The range from the first to the last token."""
        first, last = self.tokens[0].span, self.tokens[-1].span
        return Span(first.source, first.start, last.end)


def split(tokens: list[Token]) -> list[Fragment]:
    """Cut tokens into statements."""
    fragments: list[Fragment] = []
    begin = 0
    waiting: list[str] = []
    counts: Counter[str] = Counter()  # of open brackets: a search would be too slow
    for i, token in enumerate(tokens):
        if i > begin and _begins(tokens, begin, i, len(waiting)):
            fragments.append(Fragment(tuple(tokens[begin:i])))
            begin, waiting, counts = i, [], Counter()
        if token.text in _CLOSES.values():
            waiting.append(token.text)
            counts[token.text] += 1
        elif token.text in _CLOSES:
            opener = _CLOSES[token.text]
            while counts[opener] and waiting[-1] != opener:
                counts[waiting.pop()] -= 1  # never closed
            if waiting and (counts[opener] or waiting[-1] != "{"):
                counts[waiting.pop()] -= 1  # closed by the wrong bracket
    if tokens:
        fragments.append(Fragment(tuple(tokens[begin:])))
    return fragments


def meant(word: str) -> str:
    """Return the statement that an unknown word stands for, "" if none is near."""
    return CALLED.get(word.lower()) or "".join(nearest(word, STATEMENTS)[:1])


def _starts_line(tokens: list[Token], i: int) -> bool:
    return i == 0 or tokens[i - 1].span.line < tokens[i].span.line


def _begins(tokens: list[Token], begin: int, i: int, depth: int) -> bool:
    """True if a statement begins at token `i`."""
    token, before = tokens[i], tokens[i - 1]
    after = [t.text for t in tokens[i + 1 : i + 3]] + ["", ""]
    in_definition = tokens[begin].text == "def"
    if before.text in _NAMING and i - 1 == begin and not _starts_line(tokens, i):
        return False  # a reserved word where a name is expected
    if token.text not in STATEMENTS:
        # A name after a whole operand begins a statement, if an unknown one.
        whole = before.kind in {"NAME", "NUMBER", "STRING"} or before.text in _CLOSES
        return token.kind == "NAME" and whole and depth == 0 and _starts_line(tokens, i)
    if before.text == "def" and token.text in {"loss", "schedule"}:
        return False
    if token.text == "target" and in_definition:
        return after[1] == ":"  # elsewhere it is an operand of the definition
    if depth == 0:
        return True
    return _starts_line(tokens, i) and _goes_on(token.text, after)


def _goes_on(word: str, after: list[str]) -> bool:
    """True if the tokens after a statement word make it a statement, not an argument."""
    match word:
        case "layers":
            return after[0] == "{"
        case "train" | "early_stopping":
            return after[0] == "("
        case "input" | "target":
            return after[1] == ":"
    return after[0].isidentifier()


def bracket_fault(fragment: Fragment) -> Diagnostic | None:
    """Return the error about the first bracket without a match, or nested too deep."""
    waiting: list[tuple[Token, int]] = []
    operators = 0
    for token in fragment.tokens:
        if token.text in _CLOSES.values():
            waiting.append((token, operators))
            if len(waiting) > NESTING:
                message = f"brackets nest more than {NESTING} deep"
                return error("E006", message, token.span, "this one is too deep")
        elif token.text in _CLOSES:
            openers = [opener.text for opener, _ in waiting]
            if _CLOSES[token.text] not in openers and openers[-1:] in ([], ["{"]):
                message = f"`{token.text}` has no opening bracket"
                return error("E005", message, token.span, "remove it")
            opener, operators = waiting.pop()
            if opener.text != _CLOSES[token.text]:
                return _never_closed(opener, token)
        elif token.kind in {"COMMA", "EQUAL"}:
            operators = waiting[-1][1] if waiting else 0
        elif token.text in _OPERATORS:
            operators += 1
            if operators > NESTING:
                message = f"an expression has more than {NESTING} operators"
                label = "define a part of it as a `param`"
                return error("E006", message, token.span, label)
    return _never_closed(waiting[-1][0], None) if waiting else None


def _never_closed(opener: Token, found: Token | None) -> Diagnostic:
    closer = {opened: closed for closed, opened in _CLOSES.items()}[opener.text]
    note = "" if found is None else f"found `{found.text}` on line {found.span.line}"
    message = f"`{opener.text}` is never closed"
    return error("E005", message, opener.span, f"add the matching `{closer}`", note)
