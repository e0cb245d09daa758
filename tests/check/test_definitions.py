"""`def activation`, `def loss`, `def schedule`: names, arguments, and where they are no numbers."""

from __future__ import annotations

import pytest

from tests.cases.specs import codes, spec


def test_names_of_definitions() -> None:
    defined = "def loss cube(p, t) = abs(p - t)^3"
    assert codes(spec(def_=defined, loss="loss cube")) == []
    assert codes(spec(def_=defined)) == ["W006"]
    assert codes(spec(def_=f"{defined}\n{defined}", loss="loss cube")) == ["E023"]
    assert codes(spec(def_="def loss mse(p, t) = p * t")) == ["E024"]
    assert codes(spec(def_="def activation lambda(x) = 2 * x")) == ["E025"]
    as_layer = "layers { linear(1) cube }"
    assert codes(spec(def_=defined, layers=as_layer)) == ["E010"]
    for name in ("step", "step_loss"):  # a function of emitted modules
        text = f"def loss {name}(p, t) = (p - t)^4"
        assert codes(spec(def_=text, loss=f"loss {name}")) == ["E025"]
    named = "layers { linear(2) cube_loss = linear(1) }"
    assert codes(spec(def_=defined, loss="loss cube", layers=named)) == ["E025"]


REQUIRED = {
    "activation": ("def activation f(x, k) = x * sqrt(k - 1)", "f(3)"),
    "loss": ("def loss f(p, t, k) = (p - t)^2 * sqrt(k - 1)", "f(k=3)"),
    "schedule": ("def schedule f(lr, t, total, k) = lr * sqrt(k - 1)", "f(k=2)"),
}


@pytest.mark.parametrize("kind", REQUIRED)
def test_an_argument_without_a_default_may_be_whatever_fits(kind: str) -> None:
    """A definition is not tried with numbers that nobody gave."""
    text, use = REQUIRED[kind]
    changes = {
        "activation": {"layers": f"layers {{ linear(2) {use} linear(1) }}"},
        "loss": {"loss": f"loss {use}"},
        "schedule": {"schedule": f"schedule {use}"},
    }[kind]
    assert codes(spec(def_=text, **changes)) == []
    wrong = {place: said.replace("(3)", "(0)") for place, said in changes.items()}
    wrong = {place: said.replace("k=", "k=-") for place, said in wrong.items()}
    assert codes(spec(def_=text, **wrong)) == ["E018"]


@pytest.mark.parametrize(
    "rate", ["lr / t", "lr * log(t)", "lr * (t - 5)^0.5", "lr * (1 - t)", "lr * 9^t"]
)
def test_a_schedule_that_is_no_rate_somewhere_is_refused(rate: str) -> None:
    text = f"def schedule f(lr, t, total) = {rate}"
    assert codes(spec(def_=text, schedule="schedule f")) == ["E017"]


def test_a_schedule_may_be_undefined_where_it_is_not_asked() -> None:
    text = "def schedule f(lr, t, total) = where(t < 5, lr, lr / log(t))"
    assert codes(spec(def_=text, schedule="schedule f")) == []


def test_a_value_that_makes_no_sense_is_told_where_it_is_given() -> None:
    text = "def activation root(x, k=1) = x * sqrt(k)"
    layers = "layers { linear(4) root(-1) linear(1) }"
    assert codes(spec(def_=text, layers=layers)) == ["E018"]
