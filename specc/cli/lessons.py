"""The explanation of every error and warning, which `specc explain E012` prints.

Takes a code, returns text: the cause, a piece of a spec that has the error, and a corrected one.
Invariant: each wrong piece, put into `BASE`, raises its code, and each corrected one compiles.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from specc.cli.terminal import message
from specc.syntax.diagnostics import CODES
from specc.syntax.statements import STATEMENTS

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
"""A spec in pieces; an example replaces one of them, or several."""


@dataclass(frozen=True)
class Example:
    """One fault: what is wrong, which pieces of `BASE` show it, and two texts of them."""

    fault: str
    piece: str
    wrong: str
    right: str


@dataclass(frozen=True)
class Lesson:
    """The explanation of one code."""

    text: str
    piece: str = ""
    """Which pieces of `BASE` the examples replace; empty where there is no example."""
    wrong: str = ""
    right: str = ""
    others: tuple[Example, ...] = ()
    """Further faults under this code, each with its examples."""
    cures: tuple[tuple[str, str], ...] = ()
    """Faults that no spec shows alone, and what to do about each."""


LESSONS: Mapping[str, Lesson] = {
    "E001": Lesson(
        "A spec is written with ASCII letters, digits and a few signs. Letters that only look "
        "like ASCII, typographic quotes and semicolons are errors. Statements need no "
        "separator. Comments and strings can contain any character.",
        "optimizer", "optimizer sgd(lr=0.1);", "optimizer sgd(lr=0.1)",
    ),
    "E002": Lesson(
        'A string is written between two " on one line. Inside it, \\" is a quote and \\\\ a '
        "backslash; there is no other escape. Write paths with /, on every system.",
        "after", 'data csv("points\\new.csv", target="y")', "",
    ),
    "E003": Lesson(
        "Write a number as 12, 0.5, 1e-3 or 1_000. It must fit in 64 bits. A name cannot begin "
        "with a digit.",
        "train", "train(epochs=10x)", "train(epochs=10)",
    ),
    "E004": Lesson(
        "The parser found something that cannot follow what comes before it. The message lists "
        "what can. Often a comma or a bracket is missing on the line before.",
        "optimizer", "optimizer sgd(lr 0.1)", "optimizer sgd(lr=0.1)",
    ),
    "E005": Lesson(
        "Every (, [ and { needs a matching bracket. The caret points at the one that has none.",
        "optimizer", "optimizer sgd(lr=0.1", "optimizer sgd(lr=0.1)",
    ),
    "E006": Lesson(
        "Brackets, bodies and blocks can nest at most 64 deep. Define an inner part as a "
        "`param` or a `block`.",
        "train", f"train(epochs={'(' * 70}10{')' * 70})", "train(epochs=10)",
    ),
    "E007": Lesson(
        f"A statement begins with one of these words: {', '.join(STATEMENTS)}.",
        "loss", "los mse", "loss mse",
    ),
    "E008": Lesson(
        "The words that begin statements are reserved and cannot be names.",
        "before", "param train = 8", "param trained = 8",
    ),
    "E009": Lesson(
        "Invisible characters, and characters that reverse the direction of text, can make a "
        "spec read differently than it compiles. They are errors in names, strings and "
        "comments. They usually come from a web page or an editor: retype the line.",
        "loss", "loss mse  # \u202eesm", "loss mse  # mse",
    ),
    "E010": Lesson(
        "The vocabulary has no such layer, loss, optimizer or other word. `specc list` lists "
        "all words, `specc list layers` those of one kind.",
        "layers", "layers { dense(8) relu linear(1) }", "layers { linear(8) relu linear(1) }",
    ),
    "E011": Lesson(
        "An expression can use a `param`, an argument of its block or definition, pi, and the "
        "functions that `specc list functions` lists.",
        "optimizer", "optimizer sgd(lr=rate)", "optimizer sgd(lr=0.1)",
    ),
    "E012": Lesson(
        "The word or the block has no argument of that name. `specc list` followed by the word "
        "lists its arguments.",
        "optimizer", "optimizer sgd(learning_rate=0.1)", "optimizer sgd(lr=0.1)",
    ),
    "E013": Lesson(
        "The argument has no default and must be given, because frameworks disagree on a "
        "default or because no good one exists.",
        "layers", "layers { linear relu linear(1) }", "layers { linear(8) relu linear(1) }",
    ),
    "E014": Lesson(
        "The argument has two values. Positional values fill the arguments in order, so an "
        "argument can be given once by its position and again by its name.",
        "layers", "layers { linear(8, units=8) relu linear(1) }",
        "layers { linear(units=8) relu linear(1) }",
    ),
    "E015": Lesson(
        "There are more positional values than arguments, or a positional value follows a named "
        "one. Likewise, a parameter without a default cannot follow one with a default.",
        "layers", "layers { linear(units=8, he_normal) relu linear(1) }",
        "layers { linear(8, he_normal) relu linear(1) }",
    ),
    "E016": Lesson(
        "An argument is an integer, a number, true or false, a string, or one of a few words. "
        'Values are not converted: 2.5 is not a count, and "4" is not a number.',
        "optimizer", "optimizer sgd(lr=0.1, nesterov=1)",
        "optimizer sgd(lr=0.1, momentum=0.9, nesterov=true)",
    ),
    "E017": Lesson(
        "The value is outside the range that makes sense for the argument, such as a layer of 0 "
        "units or a probability above 1, or it is too large for every target.",
        "layers", "layers { linear(0) relu linear(1) }", "layers { linear(8) relu linear(1) }",
    ),
    "E018": Lesson(
        "Each value is valid alone, but they contradict each other: nesterov with a momentum of "
        "0, a lower bound above the upper one, or shares that leave no training samples.",
        "layers", "layers { linear(8, weight=uniform(low=1, high=0)) relu linear(1) }",
        "layers { linear(8, weight=uniform(low=0, high=1)) relu linear(1) }",
    ),
    "E019": Lesson(
        "xavier and he initializers scale with the number of inputs and outputs of a weight. A "
        "bias has neither. Use zeros, normal, uniform or constant for a bias.",
        "layers", "layers { linear(8, bias=he_normal) relu linear(1) }",
        "layers { linear(8, bias=normal(std=0.1)) relu linear(1) }",
    ),
    "E020": Lesson(
        "The language has this feature, but this version of the compiler does not support it "
        "yet.",
        "input", "input x: int[2]", "input x: real[2]",
    ),
    "E021": Lesson(
        "A spec begins with `model` and needs an input, a target, layers, a loss and an "
        "optimizer. Input and target come before the layers.",
        "loss", "", "loss mse",
    ),
    "E022": Lesson(
        "The statement can be given only once. With two losses or two optimizers it would be "
        "unclear which one is meant.",
        "loss", "loss mse loss mae", "loss mse",
    ),
    "E023": Lesson(
        "Two params, blocks, definitions, layers or parameters have the same name. In the "
        "emitted module they would be the same variable.",
        "before", "param width = 8 param width = 16", "param width = 8 param depth = 16",
    ),
    "E024": Lesson(
        "A block or a definition cannot have the name of a built-in word, because readers would "
        "take it for the built-in one. Choose another name.",
        "before", "block relu { tanh }", "block my_relu { tanh }",
    ),
    "E025": Lesson(
        "The name would appear in the emitted module, where Python, torch or the module already "
        "uses it: a keyword, a builtin, `update`. Choose another name.",
        "input", "input lambda: real[2]", "input features: real[2]",
    ),
    "E026": Lesson(
        "Define a name above its use. A block cannot use itself, because the network would "
        "never end.",
        "before", "block a { b } block b { relu }", "block b { relu } block a { b }",
    ),
    "E027": Lesson(
        "The expression has no finite value: it divides by 0, takes the root of a negative "
        "number, or overflows 64 bits.",
        "optimizer", "optimizer sgd(lr=1/0)", "optimizer sgd(lr=1/10)",
    ),
    "E028": Lesson(
        "The domain of a param lists the values that -D can set: choices as in [8, 16], or a "
        "range as in range(low, high) with the lower bound first.",
        "before", "param rate = 2 in range(3, 1)", "param rate = 2 in range(1, 3)",
    ),
    "E029": Lesson(
        "The value of a param, in the spec or from -D, is not in the domain that the param "
        "declares.",
        "before", "param width = 5 in [4, 8]", "param width = 4 in [4, 8]",
    ),
    "E030": Lesson(
        "-D name=value overrides a `param` of the spec. `-D width=8` needs a line such as "
        "`param width = 16`.",
    ),
    "E031": Lesson(
        "The input shape does not suit the layer, or the output shape does not match the "
        "target. Shapes never broadcast: (n,) against (n, 1) would silently compute n x n "
        "differences.",
        "layers", "layers { linear(8) relu linear(2) }", "layers { linear(8) relu linear(1) }",
    ),
    "E032": Lesson(
        "Blocks and repeat are written out layer by layer, so that each can be read. The limit "
        "is 256 layers. A norm counts as two layers, and an activation of a `def` as one more "
        "for every eight operations.",
        "layers", "layers { repeat(20000) { relu } linear(1) }",
        "layers { repeat(2) { linear(8) relu } linear(1) }",
    ),
    "E033": Lesson(
        "An array, or all parameters together, would have more than 2^31 numbers.",
        "input", "input x: real[100000, 100000]", "input x: real[2]",
    ),
    "E034": Lesson(
        "repeat, residual and concat have bodies in braces; other layers have none. A layer or "
        "a block can have a name, a repeat cannot.",
        "layers", "layers { linear(8) relu { tanh } linear(1) }",
        "layers { linear(8) relu linear(1) }",
    ),
    "E035": Lesson(
        "The network has no parameters, so training would change nothing. Add a layer with "
        "parameters, such as linear(1).",
        "layers", "layers { identity }", "layers { linear(1) }",
    ),
    "E036": Lesson(
        "early_stopping and plateau can monitor val_loss, train_loss, or val_ and train_ "
        "followed by the name of a `metric` of the spec.",
        "after", "early_stopping(monitor=val_mae, patience=3)",
        "metric mae early_stopping(monitor=val_mae, patience=3)",
    ),
    "E037": Lesson(
        "The data does not have the shape or the type that input and target declare, or a file "
        "or a column is missing. Missing values are never filled in.",
        "after", "data iris", "data disk(train=100)",
        (
            Example(
                "outputs for another number of classes",
                "input target layers loss after",
                "input x: real[4] target y: int[] layers { linear(2) } "
                "loss cross_entropy data iris",
                "input x: real[4] target y: int[] layers { linear(3) } "
                "loss cross_entropy data iris",
            ),
            Example(
                "a target of another type",
                "input target layers loss after",
                "input x: real[10] target y: int[] layers { linear(2) } "
                "loss cross_entropy data diabetes",
                "input x: real[10] target y: real[1] layers { linear(1) } "
                "loss mse data diabetes",
            ),
            Example(
                "a file that is not there",
                "after", 'data csv("no_such_file.csv", target="y")', "data disk(train=100)",
            ),
        ),
        (
            ("a column that is not there", "write a name of the header, case included"),
            ("a header that is missing", "write the names of the columns on the first line"),
            ("cells separated by ; or a tab", "separate them by commas"),
            ("words in a feature", "list the numeric columns in `features`"),
            ("words in the target", "`int[]`, `loss cross_entropy`, one output a class"),
            ("more classes than outputs", "end with one output a class, as in `linear(3)`"),
            ("a class index out of range", "number classes from 0"),
            ("labels that the loss does not take", "map -1 and 1 to 0 and 1"),
            ("numbers and words in one target", "write all classes as integers, or all as words"),
            ("a gap, nan or ?", "remove the row or fill it in"),
            ("rows of unequal length", "quote cells with commas: \"a, b\""),
            ("another number of features", "declare the input as `real[n]`, or list `features`"),
            ("npz arrays of other names", "write `npz(\"a.npz\", x=\"images\", y=\"labels\")`"),
            ("a file that is not UTF-8", "save it as UTF-8"),
            ("shares without a sample", "lower `validation` and `test`, or add rows"),
            ("`stratify` without classes", "remove it, or declare the target as `int[]`"),
        ),
    ),
    "E038": Lesson(
        "The target chosen by --target does not support an operation that the spec needs. The "
        "message names the targets that do.",
    ),
    "E039": Lesson(
        "The definition is flat, like floor: its derivative is 0 wherever it exists, so the "
        "layers before it cannot be trained. A metric can be flat.",
        "before", "def activation steps(z) = floor(z)", "def activation steps(z) = floor(z) + z",
    ),
    "E040": Lesson(
        "`standardize` measures the training samples before training begins. It must come "
        "before all layers that compute.",
        "layers", "layers { linear(8) standardize relu linear(1) }",
        "layers { standardize linear(8) relu linear(1) }",
    ),
    "W001": Lesson(
        "cross_entropy applies softmax to its input. A softmax directly before the loss is "
        "fused with it. One further back stays, so probabilities are used as logits, and the "
        "network trains slowly.",
        "target layers loss", "target y: int[] layers { linear(3) softmax relu } "
        "loss cross_entropy", "target y: int[] layers { linear(3) softmax } loss cross_entropy",
    ),
    "W002": Lesson(
        "The last activation cannot produce every target: relu has no negative output, and used "
        "as a logit no probability below one half.",
        "layers loss", "layers { linear(1, weight=he_normal) relu } loss binary_cross_entropy",
        "layers { linear(1, weight=he_normal) } loss binary_cross_entropy",
    ),
    "W003": Lesson(
        "Initializers keep the scale of values for one family of activations: he for relu and "
        "similar ones, which zero half of their input, and xavier for tanh and sigmoid.",
        "layers", "layers { linear(8, weight=xavier_normal) relu linear(1) }",
        "layers { linear(8, weight=he_normal) relu linear(1) }",
    ),
    "W004": Lesson(
        "Training ends before early stopping can trigger. Use a patience below the number of "
        "epochs.",
        "after", "early_stopping(patience=50)", "early_stopping(patience=5)",
    ),
    "W005": Lesson(
        "Early stopping chooses the epoch by the samples that the metrics are then computed on, "
        "so the metrics are better than on new samples. Give `data` a `test` share.",
        "after", "early_stopping(patience=5) data disk(train=100)",
        "early_stopping(patience=5) data disk(train=100, test=50)",
    ),
    "W006": Lesson(
        "An unused definition is often a misspelt use. To keep it, write `# specc: allow W006` "
        "on its line.",
        "before", "def activation swish(z) = z * sigmoid(z)", "",
    ),
    "W007": Lesson(
        "A number minus its own mean is 0, and divided by its own size it is 1 or -1. So a norm "
        "over a single feature, or `batch_norm` of a batch of one sample, erases its input, and "
        "the layers before it are not trained.",
        "layers", "layers { linear(1) layer_norm linear(1) }",
        "layers { linear(8) layer_norm linear(1) }",
    ),
}  # fmt: skip


def at_length(codes: Sequence[str]) -> int:
    """Print the explanations of codes; return the exit code."""
    for place, given in enumerate(codes):
        code = given.upper()
        if code not in CODES:
            message(f"{given} is not a code; codes are {_codes()}", "error")
            return FINDINGS
        click.echo(("\n" if place else "") + lesson(code), nl=False)
    return FINE


def lesson(code: str) -> str:
    """Return the explanation of a code."""
    of = LESSONS[code]
    lines = [f"{code}: {CODES[code]}", "", *textwrap.wrap(of.text, WIDTH)]
    if of.piece:
        lines.append("")
        for word, example in (("not", of.wrong), ("but", of.right)):
            shown = example.encode("ascii", "backslashreplace").decode()
            lines.append(f"    {word}  {_clipped(shown) or '(nothing)'}")
    for other in of.others:
        lines += ["", f"{other.fault}:"]
        for word, text in (("not", other.wrong), ("but", other.right)):
            lines += textwrap.wrap(
                text, WIDTH, initial_indent=f"    {word}  ", subsequent_indent=" " * 9
            )
    if of.cures:
        width = max(len(fault) for fault, _ in of.cures)
        lines += ["", *(f"{fault:<{width}}  {cure}" for fault, cure in of.cures)]
    return "\n".join(lines) + "\n"


def _codes() -> str:
    """Return the range of the codes of errors and of warnings."""
    errors = [code for code in CODES if code.startswith("E")]
    warnings = [code for code in CODES if code.startswith("W")]
    return f"{errors[0]} to {errors[-1]} and {warnings[0]} to {warnings[-1]}"


def _clipped(text: str) -> str:
    return text if len(text) <= 76 else f"{text[:36]} ... {text[-36:]}"
