"""How Python over NumPy arrays is written: for the target numpy, and for the binding of C."""

from __future__ import annotations

from specc.emit.expressions import ExpressionPrinter
from specc.emit.language import NUMBERS, Language, Words

ARRAY_WORDS = Words(
    library="np",
    array="Array",
    integers="np.dtype(np.int64)",
    floats="np.dtype(np.float32), np.dtype(np.float64)",
    assign="{0}[:] = {1}",
    fill="{0}[:] = {1}",
    reshape="reshape",
    keep=", keepdims=True",
    needs="",
)
"""The names that modules over NumPy arrays use; each target adds what it needs."""

NUMBERS_ALONE = Language(
    name="python",
    tensor={},
    scalar=NUMBERS,
    words=ARRAY_WORDS,
    imports=frozenset({"numpy", "safetensors"}),
    helpers=(),
    printer=ExpressionPrinter,
    columns=False,
    descends="never",
    copies=False,
    workspace=False,
)
"""Functions of plain numbers, such as the learning rate, in a module whose arrays C computes."""
