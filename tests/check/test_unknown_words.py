"""Words of other frameworks: answered with the word that specc has, or as not available yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from specc.cli.main import main
from specc.ir.functions import FUNCTIONS
from specc.library import VOCABULARY
from specc.library.kinds import noun
from specc.library.other_names import CALLED, DEFINABLE, MISSING
from specc.syntax import statements
from specc.syntax.diagnostics import Diagnostic, render
from specc.syntax.spelling import distance, nearest, plain
from tests.cases.specs import checked, spec

STATEMENTS = {
    "loss": "loss {}",
    "optimizer": "optimizer {}",
    "schedule": "schedule {}",
    "metric": "metric {}",
    "data": "data {}",
    "initializer": "layers {{ linear(4, weight={}) linear(1) }}",
    "layer": "layers {{ linear(4) {} linear(1) }}",
    "function": "optimizer sgd(lr={})",
}
"""Where a word of each kind stands."""
KINDS_OF_TABLES = tuple(kind for kind in CALLED if kind != "argument")


def found(kind: str, word: str) -> list[Diagnostic]:
    """Return what is reported about a spec with `word` in a place of its kind."""
    place = {"initializer": "layers", "layer": "layers", "function": "optimizer"}
    text = STATEMENTS[kind].format(word)
    params = "param a = 0.5 param b = 0.25" if kind == "function" else ""
    _, diagnostics = checked(spec(**{place.get(kind, kind): text}, param=params))
    return list(diagnostics)


def words(kind: str) -> set[str]:
    """Return every word that a place of a kind takes."""
    if kind == "function":
        return set(FUNCTIONS)
    if kind == "layer":
        return {*VOCABULARY["layer"], *VOCABULARY["activation"], "repeat"}
    if kind == "argument":
        entries = [e for each in VOCABULARY.values() for e in each.values()]
        return {a.name for entry in entries for a in entry.arguments}
    return set(VOCABULARY[kind])


def names(kind: str) -> Iterator[str]:
    """Return every name of another framework that the tables have for a kind."""
    for text in CALLED.get(kind, {}).values():
        yield from text.split()
    yield from DEFINABLE.get(kind, ())
    yield from MISSING.get(kind, "").split()


# `alpha` is an argument of elu and may also be meant where `slope` stands.
@pytest.mark.parametrize("kind", KINDS_OF_TABLES)
def test_no_name_of_a_table_is_a_word_of_specc(kind: str) -> None:
    own = set(map(plain, words(kind)))
    assert not [name for name in names(kind) if plain(name) in own]


@pytest.mark.parametrize("kind", KINDS_OF_TABLES)
def test_a_name_stands_in_the_tables_once(kind: str) -> None:
    listed = list(map(plain, names(kind)))
    assert sorted(listed) == sorted(set(listed))


@pytest.mark.parametrize("kind", CALLED)
def test_what_a_name_is_called_here_exists(kind: str) -> None:
    for word in CALLED[kind]:
        if kind == "argument":
            assert word in words(kind)
            continue
        text = word
        if kind == "function" and word in FUNCTIONS:
            text = f"{word}({'a, b'[: 3 * FUNCTIONS[word][1] - 2]})"
        codes = {d.code for d in found(kind, text + ARGUMENTS.get(word, ""))}
        assert codes <= ALLOWED.get(kind, set()), word


ARGUMENTS = {
    "linear": "(3)",
    "dropout": "(0.5)",
    "leaky_relu": "(0.1)",
    "reshape": "([4])",
    "residual": " { linear(4) }",
    "concat": " { linear(2) } { linear(2) }",
}
ALLOWED = {
    "layer": {"E040"},  # `standardize` behind a layer
    "data": {"E037"},  # no such file, or of another shape
    "loss": {"E031"},
    "metric": {"E031"},
    "schedule": {"E036"},
    "function": {"E017"},  # a rate below 0
}


@pytest.mark.parametrize("kind", DEFINABLE)
def test_what_a_definition_adds_compiles(kind: str) -> None:
    for name, line in DEFINABLE[kind].items():
        [finding] = found(kind, name)
        assert finding.notes == (f"add `{line}`",)
        place = "layers" if kind == "layer" else kind
        changes = {place: STATEMENTS[kind].format(name), "def_": line}
        model, diagnostics = checked(spec(**changes))
        assert model is not None, render(diagnostics)


@pytest.mark.parametrize("kind", MISSING)
def test_what_is_missing_is_not_available_yet_and_has_no_neighbour(kind: str) -> None:
    for name in MISSING[kind].split():
        [finding] = found(kind, f"{name}(3)" if kind == "function" else name)
        assert finding.message == f"{noun(kind)} `{name}` is not available yet"
        assert finding.label == ""


@pytest.mark.parametrize(
    ("kind", "name", "label"),
    [
        ("layer", "dense", "`dense` is called `linear` here"),
        ("layer", "Dense", "`Dense` is called `linear` here"),
        ("layer", "fully_connected", "`fully_connected` is called `linear` here"),
        ("layer", "swish", "`swish` is called `silu` here"),
        ("layer", "BatchNorm1d", "`BatchNorm1d` is called `batch_norm` here"),
        ("layer", "LayerNorm", "did you mean `layer_norm`?"),
        ("layer", "leakyrelu", "did you mean `leaky_relu`?"),
        ("layer", "leaky", "did you mean `leaky_relu`?"),
        ("layer", "lineer", "did you mean `linear`?"),
        ("loss", "MSELoss", "`MSELoss` is called `mse` here"),
        ("loss", "l1", "`l1` is called `mae` here"),
        ("loss", "nll", "`nll` is called `cross_entropy` here"),
        ("optimizer", "momentum", "write `sgd(lr=0.1, momentum=0.9)`"),
        ("schedule", "cosine_annealing", "`cosine_annealing` is called `cosine` here"),
        ("schedule", "linear", "`linear` is called `polynomial` here"),
        ("metric", "sensitivity", "`sensitivity` is called `recall` here"),
        (
            "initializer",
            "glorot_uniform",
            "`glorot_uniform` is called `xavier_uniform` here",
        ),
        ("data", "make_moons", "`make_moons` is called `moons` here"),
        ("function", "ln(2)", "`ln` is called `log` here"),
    ],
)
def test_a_word_of_the_field_is_answered_with_that_of_specc(
    kind: str, name: str, label: str
) -> None:
    [finding] = found(kind, name)
    assert finding.label == label


@pytest.mark.parametrize(
    ("argument", "label"),
    [
        ("learning_rate=0.1", "`learning_rate` is called `lr` here"),
        ("l2=0.1", "`l2` is called `weight_decay` here"),
        ("name=3", "write the name before the layer: `hidden = linear(8)`"),
    ],
)
def test_an_argument_is_answered_likewise(argument: str, label: str) -> None:
    _, [finding] = checked(spec(optimizer=f"optimizer sgd(lr=0.1, {argument})"))
    assert finding.code == "E012"
    assert finding.label == label


def test_a_word_like_no_other_is_answered_with_the_command_that_lists_them() -> None:
    [finding] = found("layer", "blancmange")
    assert finding.label == ""
    assert finding.notes == ("`specc list layers activations` shows what is available",)
    assert main(["list", "layers", "activations"]) == 0


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("dense", "nothing is called `dense`: `dense` is called `linear` here"),
        ("attention", "`attention` is not available yet"),
        ("lineer", "nothing is called `lineer`: did you mean `linear`?"),
        ("blancmange", "nothing is called `blancmange`: the kinds are layers, "),
    ],
)
def test_the_listing_answers_alike(
    name: str, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", name]) == 2
    assert answer in capsys.readouterr().err


@pytest.mark.parametrize("word", statements.CALLED)
def test_a_statement_of_other_frameworks_is_answered_and_not_missed(word: str) -> None:
    meant = statements.CALLED[word]
    assert meant in statements.STATEMENTS and word not in statements.STATEMENTS
    required = {"layers": "{ linear(1) }", "loss": "mse", "target": "y: real[1]"}
    text = spec(**{f"{meant}_": f"{word} {required.get(meant, 'x')}"})
    _, [finding] = checked(text)
    assert finding.code == "E007"
    assert finding.label == f"`{word}` is called `{meant}` here"


def test_every_word_with_a_typing_error_is_suggested() -> None:
    for kind in ("layer", "loss", "optimizer", "schedule", "metric", "data"):
        for word in words(kind):
            if len(word) > 3:
                swapped = word[:1] + word[2] + word[1] + word[3:]
                for wrong in (swapped, word[:-1], word + word[-1]):
                    assert wrong in words(kind) or word in nearest(wrong, words(kind))


@pytest.mark.parametrize(
    ("a", "b", "far"),
    [("", "", 0), ("relu", "rleu", 1), ("kitten", "sitting", 3), ("a", "", 1)],
)
def test_the_distance_counts_typing_errors(a: str, b: str, far: int) -> None:
    assert distance(a, b, 3) == distance(b, a, 3) == far
    assert distance(a, b, 5) == far
    assert distance(a, b, 0) == min(far, 1)
