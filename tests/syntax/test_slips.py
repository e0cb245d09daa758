"""What the usual slips are told; and no message with a hole in it."""

from __future__ import annotations

import random
import re

import pytest

from specc.compiler import analyse
from specc.syntax.source import Source
from tests.cases.modules import EXAMPLES, example

PIECES = {
    "model": "model net",
    "param": "param width = 8",
    "input": "input x: real[2]",
    "target": "target y: real[1]",
    "layers": "layers { linear(width) relu linear(1) }",
    "loss": "loss mse",
    "optimizer": "optimizer sgd(lr=0.1)",
}
SLIPS = {
    "target y: int": "write `int[]` for one class index a sample",
    "target y: real": "write `real[1]` for one number a sample",
    "input x: float[3]": "write `real`",
    "target y: int64[]": "write `int`",
    "input x: real(2)": "write the shape in `[` and `]`",
    "input real[2]": "write a name before it: `x: real`",
    "input x real[2]": "write `input x: real[2]`, with your shape",
    "input x: real[batch, 2]": "leave it out: a shape is that of one sample",
    "input x: real[None, 2]": "leave it out: a shape is that of one sample",
    "layers { linear(3), relu, linear(1) }": "layers follow each other without `,`",
    "layers { linear(3) -> linear(1) }": "layers follow each other without a sign",
    "layers [ linear(1) ]": "write the layers in `{` and `}`",
    "layers { linear 3 relu linear(1) }": "write `linear(3)`",
    "layers { h: linear(3) linear(1) }": "write `h=` to name a layer",
    "layers { linear(3, 16) relu linear(1) }": "write `linear(16)`",
    "layers { Linear(16) relu linear(1) }": "did you mean `linear`?",
    "model my-net": "write `model my_net`",
    'model "net"': "write the name without quotes",
    "loss: mse": "write `loss mse`",
    "optimizer = sgd(lr=0.1)": "write `optimizer sgd`",
    "optimizer sgd(lr: 0.1)": "write `lr=0.1`",
    "optimizer sgd lr=0.1": "write `optimizer sgd(lr=0.1)`",
    "param width: 8": "write `=` between the name and the value",
    "param width = 8 in (4, 8)": "write choices as `in [8, 16]`",
}
HOLE = re.compile(r"expected ,|expected  |, found $|(?<!`)``(?!`)|\bor ,|, ,")


def labels(text: str, width: str | None = None) -> list[str]:
    given = {} if width is None else {"width": width}
    _, found = analyse(Source("net.spec", text), given)
    return [f"{f.message} | {f.label} | {f.notes}" for f in found]


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_what_to_write(slip: str) -> None:
    word = re.match(r"\w+", slip)
    assert word is not None
    text = "\n".join({**PIECES, word[0]: slip}.values())
    assert any(SLIPS[slip] in label for label in labels(text)), labels(text)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("8,16,32", "`-D width` sets one value, found a list"),
        ("8 in [8]", "expected an operator or the end, found `in`"),
        ("8 16", "expected an operator or the end, found `16`"),
        ("=8", "expected a value, found `==`"),
        ("{8}", "expected a value, found `{`"),
        ("", "expected a value, found nothing"),
    ],
)
def test_an_override_is_told_what_can_be_typed(given: str, said: str) -> None:
    (only,) = labels("\n".join(PIECES.values()), given)
    assert only.startswith(said)
    assert "write one value, such as `-D width=8`" in only


def test_small_edits_make_no_message_with_a_hole() -> None:
    draw = random.Random(0)
    signs = [*"()[]{},:=+-*/^<>;.'\"", "in", "real", "8", "relu", "range", " "]
    seen = set()
    for name in EXAMPLES:
        tokens = re.findall(r"\w+|\S|\s+", example(name))
        for _ in range(15):
            edited = list(tokens)
            at = draw.randrange(len(edited))
            edited[at : at + draw.randrange(2)] = [draw.choice(signs)]
            seen |= set(labels("".join(edited)))
    assert len(seen) > 50
    assert [said for said in seen if HOLE.search(said)] == []
