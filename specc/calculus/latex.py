"""Mathematics in LaTeX, under the names of the emitted code: what `explain` prints for papers.

Takes nothing; returns a notation for `notation.mathematics`. It keeps to what plain `amsmath` has.
"""

from __future__ import annotations

import math
import re

from specc.calculus.notation import (
    ATOM,
    PLAIN,
    POWER,
    PRODUCT,
    RELATION,
    SUM,
    Notation,
    mathematics,
)
from specc.ir.value import Value

SYMBOLS = {"W": "W", "b": "b", "[W b]": r"[W\;b]", "theta": r"\theta", "t": "t"}
"""What is written as a letter, not as a name of the code."""
FUNCTIONS = ("exp", "log", "tanh", "sin", "cos")


def name(text: str) -> str:
    """Write a name of the code."""
    if text in SYMBOLS:
        return SYMBOLS[text]
    if text in FUNCTIONS:
        return rf"\{text}"
    return rf"\mathrm{{{text.replace('_', chr(92) + '_')}}}"


def _number(value: float) -> str:
    if value == math.pi:
        return r"\pi"
    text = f"{value:g}"
    return re.sub(r"e([+-])0*(\d+)$", r"\\cdot 10^{\g<1>\2}", text).replace("^{+", "^{")


LATEX = Notation(
    patterns={
        **PLAIN.patterns,
        "mul": (r"{} \odot {}", PRODUCT, (PRODUCT, POWER)),
        "scale": (r"{} \cdot {}", PRODUCT, (PRODUCT, POWER)),
        "div": (r"\frac{{{}}}{{{}}}", POWER, (RELATION, RELATION)),
        "share": (r"\frac{{{}}}{{n}}", POWER, (RELATION,)),
        "pow": ("{{{}}}^{{{}}}", POWER, (ATOM, RELATION)),
        "square": ("{{{}}}^2", POWER, (ATOM,)),
        "sqrt": (r"\sqrt{{{}}}", ATOM, (RELATION,)),
        "mm": (r"{}\,{}", PRODUCT, (POWER, POWER)),
        "transpose": (r"{{{}}}^{{\top}}", POWER, (ATOM,)),
        "swap": (r"{{{}}}^{{\top}}", POWER, (ATOM,)),
        "greater_equal": (r"[{} \geq {}]", ATOM, (RELATION, RELATION)),
        "less_equal": (r"[{} \leq {}]", ATOM, (RELATION, RELATION)),
        "not_equal": (r"[{} \neq {}]", ATOM, (RELATION, RELATION)),
        "both": (r"[{} \wedge {}]", ATOM, (RELATION, RELATION)),
        "norm": (r"\Vert {} \Vert", ATOM, (RELATION,)),
        "with_ones": (r"[{};\,1]", ATOM, (RELATION,)),
        "body": (r"{}\ \mathrm{{without\ its\ last\ row}}", RELATION, (ATOM,)),
        "sum": (r"\mathrm{{sum}}({})", ATOM, (RELATION,)),
        "total": (r"\mathrm{{sum}}({})", ATOM, (RELATION,)),
        "sum_samples": (r"\sum_{{\mathrm{{samples}}}} {}", SUM, (POWER,)),
        "mean_over": (r"\mathrm{{mean}}({})", ATOM, (RELATION,)),
        "mean_samples": (r"\mathrm{{mean}}_{{\mathrm{{samples}}}} {}", SUM, (POWER,)),
        "minus_one_hot": (
            r"{} - \mathrm{{one\_hot}}({})",
            SUM,
            (SUM, RELATION),
        ),
        "minus_hot": (
            r"{} - {height}\,\mathrm{{one\_hot}}({})",
            SUM,
            (SUM, RELATION),
        ),
        "place": (r"{0}\ \mathrm{{at}}\ {2}", RELATION, (ATOM, ATOM, ATOM)),
        "part": ("{}_{{{start}:{stop}}}", ATOM, (ATOM,)),
        "pick": ("{}_{{{}}}", ATOM, (ATOM, RELATION)),
    },
    name=name,
    derivative=r"\frac{{\partial L}}{{\partial {}}}".format,
    number=_number,
    function=r"{}({})",
    group=r"\left({}\right)",
)


def equation(left: str, right: Value) -> str:
    """Write `left = right`; what begins with `dL/d` or `d_` is a derivative."""
    by = re.fullmatch(r"(?:dL/d|d_)(.+)", left)
    said = LATEX.derivative(name(by[1])) if by else name(left)
    return f"{said} = {mathematics(right, notation=LATEX)}"
