"""Every code of a finding at length: why it is said, a piece of a spec that has it, and one that
has not. `specc explain E012` prints them.

Takes a code, gives text. Invariant: each wrong piece, put into `BASE`, is found under its code, and
each right one compiles, which a test holds them to.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from specc.cli.terminal import message
from specc.syntax.diagnostics import CODES
from specc.syntax.spelling import did_you_mean

FINE, FINDINGS = 0, 1
WIDTH = 88

BASE: Mapping[str, str] = {
    "model": "model net",
    "before": "",
    "input": "input x: real[2]",
    "target": "target y: real[1]",
    "layers": "layers { linear(8, weight=he_normal) relu linear(1) }",
    "loss": "loss mse",
    "optimizer": "optimizer sgd(lr=0.1)",
    "after": "",
    "train": "train(epochs=10)",
}
"""A spec in pieces, of which an example takes the place of one, or of some that follow."""


@dataclass(frozen=True)
class Lesson:
    """What there is to say of a code."""

    says: str
    piece: str = ""
    """Which piece of `BASE` the examples are of; empty where there is none to show."""
    wrong: str = ""
    right: str = ""


LESSONS: Mapping[str, Lesson] = {
    "E001": Lesson(
        "The language is written with ASCII letters, digits and a few signs. A letter that only "
        "looks like one of these, a typographic quote or a semicolon is none of them. Statements "
        "end by themselves. Any character may stand in a comment or a string.",
        "optimizer", "optimizer sgd(lr=0.1);", "optimizer sgd(lr=0.1)",
    ),
    "E002": Lesson(
        'A string stands between two " on one line. Inside it \\" is a quote and \\\\ a '
        "backslash; there is no other escape. Write a path with /, on every system.",
        "after", 'data csv("points\\new.csv", target="y")', "",
    ),
    "E003": Lesson(
        "A number is written 12, 0.5, 1e-3 or 1_000, and 64 bits have to hold it. A name cannot "
        "begin with a digit.",
        "train", "train(epochs=10x)", "train(epochs=10)",
    ),
    "E004": Lesson(
        "The parser met something that cannot follow what stands before it. The message lists "
        "what can. Often a comma or a bracket is missing on the line before.",
        "optimizer", "optimizer sgd(lr 0.1)", "optimizer sgd(lr=0.1)",
    ),
    "E005": Lesson(
        "Every (, [ and { is closed by its own counterpart. The caret is at the one that has "
        "none.",
        "optimizer", "optimizer sgd(lr=0.1", "optimizer sgd(lr=0.1)",
    ),
    "E006": Lesson(
        "Brackets, bodies and blocks inside blocks may nest 64 deep. Nobody reads more, and "
        "tools that do not set a limit crash. Name an inner part with `param` or `block`.",
        "train", f"train(epochs={'(' * 70}10{')' * 70})", "train(epochs=10)",
    ),
    "E007": Lesson(
        "A statement begins with one of the words of the language: model, param, block, def, "
        "input, target, layers, loss, optimizer, schedule, early_stopping, train, metric, data.",
        "loss", "los mse", "loss mse",
    ),
    "E008": Lesson(
        "The words that begin statements cannot be names: a reader, and the parser, would take "
        "one for the other.",
        "before", "param train = 8", "param trained = 8",
    ),
    "E009": Lesson(
        "Characters that are not seen, or that turn the direction of text, can make a spec read "
        "differently than it compiles. They are refused in names, strings and comments alike. "
        "They come from web pages and from editors; retype the line.",
        "loss", "loss mse  # \u202eesm", "loss mse  # mse",
    ),
    "E010": Lesson(
        "No layer, loss, optimizer or other word of this kind has that name. `specc list` shows "
        "all of them, `specc list layers` one kind.",
        "layers", "layers { dense(8) relu linear(1) }", "layers { linear(8) relu linear(1) }",
    ),
    "E011": Lesson(
        "An expression may name a `param`, an argument of its block or definition, pi, and the "
        "functions that `specc list functions` shows.",
        "optimizer", "optimizer sgd(lr=rate)", "optimizer sgd(lr=0.1)",
    ),
    "E012": Lesson(
        "The word or the block has no argument of that name. `specc list` followed by the word "
        "shows its arguments.",
        "optimizer", "optimizer sgd(learning_rate=0.1)", "optimizer sgd(lr=0.1)",
    ),
    "E013": Lesson(
        "The word needs an argument that has no default, because frameworks disagree on one or "
        "because there is no good one.",
        "layers", "layers { linear relu linear(1) }", "layers { linear(8) relu linear(1) }",
    ),
    "E014": Lesson(
        "An argument has two values. Positional ones fill the arguments in their order, so the "
        "same may be given once by its place and once by its name.",
        "layers", "layers { linear(8, units=8) relu linear(1) }",
        "layers { linear(units=8) relu linear(1) }",
    ),
    "E015": Lesson(
        "There are more positional values than arguments, or one stands after a named one, where "
        "its place cannot be counted. For the same reason a parameter without a default may not "
        "follow one that has a default.",
        "layers", "layers { linear(units=8, he_normal) relu linear(1) }",
        "layers { linear(8, he_normal) relu linear(1) }",
    ),
    "E016": Lesson(
        "An argument takes a count, a number, true or false, a string or one of a few words, and "
        "nothing is converted: 2.5 layers or a string of digits is a mistake more often than a "
        "wish.",
        "optimizer", "optimizer sgd(lr=0.1, nesterov=1)",
        "optimizer sgd(lr=0.1, momentum=0.9, nesterov=true)",
    ),
    "E017": Lesson(
        "The value lies outside what the argument means anything for, a layer of no units or a "
        "probability above 1, or is larger than what every target computes with.",
        "layers", "layers { linear(0) relu linear(1) }", "layers { linear(8) relu linear(1) }",
    ),
    "E018": Lesson(
        "Each value is fine, and together they are not: a momentum that nesterov needs is 0, the "
        "lower bound of a draw is above the upper one, no sample is left to train on.",
        "layers", "layers { linear(8, weight=uniform(low=1, high=0)) relu linear(1) }",
        "layers { linear(8, weight=uniform(low=0, high=1)) relu linear(1) }",
    ),
    "E019": Lesson(
        "xavier and he initializers scale with the number of inputs and outputs of a weight. A "
        "bias has neither.",
        "layers", "layers { linear(8, bias=he_normal) relu linear(1) }",
        "layers { linear(8, bias=normal(std=0.1)) relu linear(1) }",
    ),
    "E020": Lesson(
        "The language has it, this version of the compiler does not. It is said rather than left "
        "out of the module.",
        "input", "input x: int[2]", "input x: real[2]",
    ),
    "E021": Lesson(
        "A spec begins with `model` and has an input, a target, layers, a loss and an optimizer; "
        "input and target come before the layers.",
        "loss", "", "loss mse",
    ),
    "E022": Lesson(
        "The statement can be given once: two losses or two optimizers leave open which is "
        "meant.",
        "loss", "loss mse loss mae", "loss mse",
    ),
    "E023": Lesson(
        "Two things have one name: params, blocks, definitions, layers or parameters. In the "
        "emitted module they would be the same.",
        "before", "param width = 8 param width = 16", "param width = 8 param depth = 16",
    ),
    "E024": Lesson(
        "A block or a definition would hide a word of the vocabulary. A reader of the spec would "
        "take it for the built-in one.",
        "before", "block relu { tanh }", "block my_relu { tanh }",
    ),
    "E025": Lesson(
        "The name becomes one of the emitted module, where Python, torch or the module itself "
        "has it already: a keyword, a builtin, `update`.",
        "input", "input lambda: real[2]", "input features: real[2]",
    ),
    "E026": Lesson(
        "Names are defined above their use, and a block cannot stand inside itself: the network "
        "would have no end.",
        "before", "block a { b } block b { relu }", "block b { relu } block a { b }",
    ),
    "E027": Lesson(
        "The expression has no finite value: a division by 0, the root of a negative number, or "
        "more than 64 bits hold.",
        "optimizer", "optimizer sgd(lr=1/0)", "optimizer sgd(lr=1/10)",
    ),
    "E028": Lesson(
        "The domain of a param says which values -D may give it: a list as in [8, 16], or "
        "range(low, high), of which the lower end comes first.",
        "before", "param rate = 2 in range(3, 1)", "param rate = 2 in range(1, 3)",
    ),
    "E029": Lesson(
        "The value of a param, in the spec or by -D, is not one that its own domain allows.",
        "before", "param width = 5 in [4, 8]", "param width = 4 in [4, 8]",
    ),
    "E030": Lesson(
        "-D name=value changes a `param` of the spec, and nothing else: `-D width=8` needs a "
        "line such as `param width = 16`.",
    ),
    "E031": Lesson(
        "A layer cannot take what it is given, or the network does not give what the loss "
        "compares with the target. Nothing broadcasts: (n,) against (n, 1) would quietly give "
        "n x n differences.",
        "layers", "layers { linear(8) relu linear(2) }", "layers { linear(8) relu linear(1) }",
    ),
    "E032": Lesson(
        "Blocks and repeat are written out layer by layer, so that each can be read. That ends at "
        "256 layers, of which a norm counts as two, and an activation of a `def` as one more for "
        "every eight operations.",
        "layers", "layers { repeat(20000) { relu } linear(1) }",
        "layers { repeat(2) { linear(8) relu } linear(1) }",
    ),
    "E033": Lesson(
        "An array, or all parameters together, would have more than 2^31 numbers.",
        "input", "input x: real[100000, 100000]", "input x: real[2]",
    ),
    "E034": Lesson(
        "repeat, residual and concat have bodies in braces; other layers have none. A name can be "
        "given to a layer or a block, not to a repeat.",
        "layers", "layers { linear(8) relu { tanh } linear(1) }",
        "layers { linear(8) relu linear(1) }",
    ),
    "E035": Lesson(
        "The network has no parameter: there is nothing that training could change.",
        "layers", "layers { identity }", "layers { linear(1) }",
    ),
    "E036": Lesson(
        "early_stopping and plateau watch val_loss, train_loss, or a `metric` of the spec with "
        "val_ or train_ before its name.",
        "after", "early_stopping(monitor=val_mae, patience=3)",
        "metric mae early_stopping(monitor=val_mae, patience=3)",
    ),
    "E037": Lesson(
        "The data does not have the shape or the kind that input and target declare, a file is "
        "missing, or a column is. Data is read when it is needed, and nothing is filled in.",
        "after", "data iris", "data disk(train=100)",
    ),
    "E038": Lesson(
        "The target chosen by --target has no line for an operation that the spec comes down to. "
        "The message names the targets that have it.",
    ),
    "E039": Lesson(
        "A definition is flat, like floor: its derivative is 0 wherever it has one, so that "
        "nothing before it can be trained. A metric may be flat.",
        "before", "def activation steps(z) = floor(z)", "def activation steps(z) = floor(z) + z",
    ),
    "E040": Lesson(
        "`standardize` measures the training samples, before anything is trained. So it stands "
        "before all layers that compute.",
        "layers", "layers { linear(8) standardize relu linear(1) }",
        "layers { standardize linear(8) relu linear(1) }",
    ),
    "W001": Lesson(
        "cross_entropy applies its own softmax to what it is given. Directly before the loss a "
        "softmax is fused with it; before something else it stays, and probabilities are taken "
        "for logits. The network trains, slowly.",
        "target layers loss", "target y: int[] layers { linear(3) softmax relu } "
        "loss cross_entropy", "target y: int[] layers { linear(3) softmax } loss cross_entropy",
    ),
    "W002": Lesson(
        "The last activation cannot reach every target: relu gives no negative number, and as a "
        "logit no probability below one half.",
        "layers loss", "layers { linear(1, weight=he_normal) relu } loss binary_cross_entropy",
        "layers { linear(1, weight=he_normal) } loss binary_cross_entropy",
    ),
    "W003": Lesson(
        "Initializers keep the size of what flows through, for an activation: he for relu and its "
        "kin, which drop half of it, xavier for tanh and sigmoid.",
        "layers", "layers { linear(8, weight=xavier_normal) relu linear(1) }",
        "layers { linear(8, weight=he_normal) relu linear(1) }",
    ),
    "W004": Lesson(
        "Training ends before early stopping could: so many epochs without a gain do not fit.",
        "after", "early_stopping(patience=50)", "early_stopping(patience=5)",
    ),
    "W005": Lesson(
        "The epoch is chosen by the samples that the figures are then told of, which makes them "
        "better than they will be on new ones. Give `data` a `test` share.",
        "after", "early_stopping(patience=5) data disk(train=100)",
        "early_stopping(patience=5) data disk(train=100, test=50)",
    ),
    "W006": Lesson(
        "A definition that nothing uses is often a misspelt use. `# specc: allow W006` on its "
        "line keeps it without a word.",
        "before", "def activation swish(z) = z * sigmoid(z)", "",
    ),
    "W007": Lesson(
        "A number less its own mean is 0, and over its own size it is 1 or -1. So a norm of one "
        "feature, or `batch_norm` of a batch of one sample, lets nothing through, and what stands "
        "before it is not trained.",
        "layers", "layers { linear(1) layer_norm linear(1) }",
        "layers { linear(8) layer_norm linear(1) }",
    ),
}  # fmt: skip


def at_length(codes: Sequence[str]) -> int:
    """Print what these codes mean; give the exit code."""
    for place, given in enumerate(codes):
        code = given.upper()
        if code not in CODES:
            hint = did_you_mean(code, CODES)
            message(
                f"no finding has the code {given}{'; ' + hint if hint else ''}", "error"
            )
            return FINDINGS
        click.echo(("\n" if place else "") + lesson(code), nl=False)
    return FINE


def lesson(code: str) -> str:
    """Write what a code means."""
    of = LESSONS[code]
    lines = [f"{code}: {CODES[code]}", "", *textwrap.wrap(of.says, WIDTH)]
    if of.piece:
        lines.append("")
        for word, example in (("not", of.wrong), ("but", of.right)):
            shown = example.encode("ascii", "backslashreplace").decode()
            lines.append(f"    {word}  {_clipped(shown) or '(nothing)'}")
    return "\n".join(lines) + "\n"


def _clipped(text: str) -> str:
    return text if len(text) <= 76 else f"{text[:36]} ... {text[-36:]}"
