"""Constant expressions: values, and the findings where there is none."""

from __future__ import annotations

import math

import pytest

from specc.check.arguments.constants import CONSTANTS, FUNCTIONS, UNKNOWN, evaluate
from specc.syntax.diagnostics import Diagnostic, Invalid
from specc.syntax.parser import parse_expression
from specc.syntax.source import Source

NAMES = {"n": 3, "rate": 0.5, "word": "a", "missing": UNKNOWN}


def value(text):
    parsed = parse_expression(Source("-D", text), 0)
    assert not isinstance(parsed, Diagnostic), parsed.message
    return evaluate(parsed, NAMES)


FUNCTION_VALUES = {
    "exp(1)": math.e,
    "log(2)": math.log(2),
    "log1p(1e-20)": 1e-20,
    "expm1(1e-20)": 1e-20,
    "sqrt(2)": 2**0.5,
    "abs(-3)": 3,
    "sign(-0.5)": -1,
    "sin(pi/2)": 1.0,
    "cos(pi)": -1.0,
    "tanh(1)": math.tanh(1),
    "sigmoid(-1000)": 0.0,
    "softplus(1000)": 1000.0,
    "relu(-2)": 0,
    "erf(1)": math.erf(1),
    "min(2, n)": 2,
    "max(2, n)": 3,
    "floor(-1.5)": -2,
    "where(n > 2, 10, 20)": 10,
}

VALUES = {
    "1_000": 1000,
    "1e-3": 0.001,
    "2^10": 1024,
    "2^-1": 0.5,
    "-2^2": -4,
    "2^3^2": 512,
    "7/2": 3.5,
    "6/2": 3.0,
    "-n + 2*n": 3,
    "1 < 2": True,
    "1 == 1.0": True,
    '"a" == word': True,
    '"a" != "b"': True,
    "[1, 2.5, n]": (1, 2.5, 3),
    "[]": (),
    "2*pi": 2 * math.pi,
    "none": None,
    "true": True,
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775807": -(2**63) + 1,
    "1e308": 1e308,
    "0e-999": 0.0,
}


@pytest.mark.parametrize(("text", "expected"), (VALUES | FUNCTION_VALUES).items())
def test_values(text, expected):
    found = value(text)
    assert type(found) is type(expected)
    near = isinstance(found, float) and math.isclose(found, expected, rel_tol=1e-15)
    assert near or found == expected


def test_every_function_has_a_case():
    assert {text.split("(")[0] for text in FUNCTION_VALUES} == set(FUNCTIONS)
    assert set(CONSTANTS) == {"true", "false", "none", "pi"}


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("1/0", "E027", "1/0"),
        ("1/(n - 3)", "E027", "1/(n - 3)"),
        ("0^-1", "E027", "0^-1"),
        ("log(0)", "E027", "log(0)"),
        ("log1p(-1)", "E027", "log1p(-1)"),
        ("sqrt(-1)", "E027", "sqrt(-1)"),
        ("1 + exp(1000)", "E027", "exp(1000)"),
        ("1e308*10", "E027", "1e308*10"),
        ("(-8)^(1/3)", "E027", "(-8)^(1/3)"),
        ("9^9^9", "E027", "9^9^9"),
        ("10^400", "E027", "10^400"),
        ("100012^62", "E027", "100012^62"),
        ("0.5 + 9223372036854775807^63", "E027", "9223372036854775807^63"),
        ("2^63", "E027", "2^63"),
        ("9223372036854775807 + 1", "E027", "9223372036854775807 + 1"),
        ("1e999", "E003", "1e999"),
        ("1e-999", "E003", "1e-999"),
        ("9" * 5000, "E003", "9" * 5000),
        ("wdith", "E011", "wdith"),
        ("1 + sqr(2)", "E011", "sqr"),
        ("exp", "E016", "exp"),
        ("exp()", "E013", "exp()"),
        ("min(1, 2, 3)", "E015", "min(1, 2, 3)"),
        ("exp(x=1)", "E012", "x"),
        ('1 + "a"', "E016", '"a"'),
        ("-true", "E016", "true"),
        ("[1] + 1", "E016", "[1]"),
        ("none < 1", "E016", "none"),
        ('exp("a")', "E016", '"a"'),
        ("where(1, 2, 3)", "E016", "1"),
    ],
)
def test_what_has_no_value_is_told_where_it_is(text, code, place):
    with pytest.raises(Invalid) as caught:
        value(text)
    found = caught.value.diagnostic
    assert (found.code, found.span.text) == (code, place)


@pytest.mark.parametrize(
    "text",
    ["missing + 1", "exp(missing)", "-missing", "[1, missing]", "where(missing, 1, 2)"],
)
def test_what_depends_on_a_fault_is_unknown_and_no_second_fault(text):
    assert value(text) is UNKNOWN
