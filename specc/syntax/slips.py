"""What to write in place of what other languages and frameworks would write there.

Takes the tokens of a statement and the one that cannot follow, returns a hint. Invariant: a hint
is only about signs and words at that place, and what it says to write parses there.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from specc.syntax.statements import Token

_CLAUSES = frozenset({"loss", "optimizer", "schedule", "metric", "data"})
_SETTINGS = frozenset({"train", "early_stopping"})
_OF_CLASSES = frozenset(
    {"integer", "int32", "int64", "long", "uint8", "class", "classes", "categorical"}
)
_OF_NUMBERS = frozenset(
    {"float", "float16", "float32", "float64", "double", "number", "num", "f32", "f64"}
)


def hint(tokens: Sequence[Token], at: int, accepted: Set[str]) -> str:
    """Return what to write where token `at` cannot stand, "" if there is no usual slip.

    `at` is the number of tokens if the statement ends too early; `accepted` are the terminals that
    could follow.
    """
    word = tokens[0].text
    found = tokens[at].text if at < len(tokens) else ""
    after = tokens[at + 1].text if at + 1 < len(tokens) else ""
    before = tokens[at - 1] if at else tokens[0]
    if found == "*" and before.text == "*":
        return "write `^` for a power"
    if (
        found == ":"
        and before.kind == "NAME"
        and "EQUAL" in accepted
        and word != "param"
    ):
        if _open(tokens, at) == "(":
            return f"write `{before.text}={after}`"
        return f"write `{before.text}=` to name a layer"
    if word in ("input", "target"):
        return _of_feature(word, tokens, at, accepted)
    if word == "layers":
        return _of_layers(found, after, before)
    if word == "model":
        return _of_model(tokens, at)
    if word in _CLAUSES and at == 1 and found in ("=", ":"):
        return f"remove it: write `{word} {after}`" if after else "remove it"
    if word in _CLAUSES | _SETTINGS:
        return _of_entry(word, tokens, at)
    if word == "param" and at == 2:
        return "write `=` between the name and the value"
    if word == "param" and before.text == "in":
        return "write choices as `in [8, 16]`, a range as `in range(1, 3)`"
    if word == "def" and at == 1:
        return f"write what it defines, as in `def activation {found or 'f'}(x) = x`"
    return ""


def _of_feature(word: str, tokens: Sequence[Token], at: int, accepted: Set[str]) -> str:
    found = tokens[at].text if at < len(tokens) else ""
    name = tokens[1].text if len(tokens) > 1 and tokens[1].kind == "NAME" else "x"
    if "REAL" in accepted:
        if found.lower() in _OF_NUMBERS:
            return "write `real`"
        if found.lower() in _OF_CLASSES:
            return "write `int`"
        return "write `real` for numbers, `int` for class indices"
    if "LSQB" in accepted and at == 4:
        if found == "(":
            return "write the shape in `[` and `]`"
        if tokens[3].text == "int":
            return "write `int[]` for one class index a sample"
        return "write `real[1]` for one number a sample"
    if "COLON" in accepted:
        return f"write `{word} {name}: real[2]`, with your shape"
    if tokens[at - 1].text == "," and found == "]":
        return "remove the `,` before it"
    return ""


def _of_layers(found: str, after: str, before: Token) -> str:
    if found == ",":
        return "remove it: layers follow each other without `,`"
    if found == "-" and after == ">":
        return "remove `->`: layers follow each other without a sign"
    if before.text == "layers":
        return "write the layers in `{` and `}`"
    if before.kind == "NAME" and found[:1].isdigit():
        return f"write `{before.text}({found})`"
    return ""


def _of_model(tokens: Sequence[Token], at: int) -> str:
    if at < len(tokens) and tokens[at].kind == "STRING":
        return "write the name without quotes"
    if at == 2 and tokens[at].text == "-":
        rest = [token.text for token in tokens[1:]]
        name = "".join("_" if text == "-" else text for text in rest)
        return f"write `model {name}`" if name.isidentifier() else ""
    return ""


def _of_entry(word: str, tokens: Sequence[Token], at: int) -> str:
    found = tokens[at].text if at < len(tokens) else ""
    if _open(tokens, at):
        return ""
    if found == "," and word == "metric":
        return "write a `metric` statement for each"
    if at + 2 < len(tokens) and tokens[at + 1].text == "=":
        entry = " ".join(token.text for token in tokens[:at])
        return f"write `{entry}({found}={tokens[at + 2].text})`"
    return ""


def _open(tokens: Sequence[Token], at: int) -> str:
    """Return the innermost bracket that is open before token `at`, "" if there is none."""
    stack: list[str] = []
    for token in tokens[:at]:
        if token.text in ("(", "[", "{"):
            stack.append(token.text)
        elif token.text in (")", "]", "}") and stack:
            stack.pop()
    return stack[-1] if stack else ""
