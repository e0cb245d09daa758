"""The cost of a network, known before anything runs: numbers, operations, bytes.

Takes the Programs of a module, returns costs with a fixed part and a part for each sample. A matrix
product of (m, k) and (k, n) counts as 2 m k n operations, an elementwise operation or a sum as one
for each element. Invariant: products are counted as torch's FlopCounterMode counts them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.ir.program import Program
from specc.ir.value import OPS, Shape, Value, batched, rows_of
from specc.model.model import Model
from specc.passes.expand import expand


@dataclass(frozen=True)
class Cost:
    """A fixed cost plus a cost for each sample of a batch."""

    fixed: float = 0
    each: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.fixed + other.fixed, self.each + other.each)

    def __mul__(self, factor: float) -> Cost:
        return Cost(self.fixed * factor, self.each * factor)

    def of(self, samples: int) -> int:
        """Return the cost of a batch of `samples`."""
        return round(self.fixed + self.each * samples)


@dataclass(frozen=True)
class Work:
    """The operations of one part of a step."""

    products: Cost
    others: Cost


@dataclass(frozen=True)
class Budget:
    """All costs of a step, in operations or in numbers of the module's precision."""

    parameters: int
    buffers: int
    """Numbers that layers keep besides parameters."""
    vectors: int
    """How many vectors of the size of the parameters the optimizer keeps."""
    forward: Work
    backward: Work
    """Including the gradient of the loss."""
    update: Work
    kept: Cost
    """Numbers that the forward pass saves for the backward pass."""

    @property
    def state(self) -> int:
        """Numbers in parameters, gradients, optimizer vectors and buffers."""
        return (2 + self.vectors) * self.parameters + self.buffers


def budget(model: Model, plain: Derived) -> Budget:
    """Return the cost of a step; `plain` are the Programs before any pass."""
    rows = model.positions
    backward = _work((plain.loss_gradient, plain.backward), rows)
    kept = dict(plain.forward.outputs)
    x = plain.forward.inputs[0]
    read = {value.name for value in plain.backward.inputs}
    numbers = [elements(value.shape, rows) for value in kept.values()]
    numbers += [elements(mask.shape, rows) for mask in plain.masks]
    numbers += [elements(x.shape, rows)] if x.name in read else []
    return Budget(
        parameters=sum(math.prod(p.shape) for p in model.parameters.values()),
        buffers=sum(math.prod(buffer.shape) for buffer in model.buffers.values()),
        vectors=len(model.optimizer.use().state()),
        forward=_work((plain.forward, plain.loss), rows),
        backward=backward,
        update=_work((plain.update,), rows),
        kept=_total(numbers),
    )


def _work(programs: Iterable[Program], rows: int) -> Work:
    """Return the operations of Programs, with composites expanded to elementary ones."""
    products, others = Cost(), Cost()
    elementary = frozenset({"input", "const"}) | frozenset(
        name for name, op in OPS.items() if op.expansion is None
    )
    for program in programs:
        for value in expand(program, elementary).values:
            if value.op == "mm":
                product, sums = _product(value, rows)
                products += product
                others += sums
            elif value.row.marks:
                others += elements(value.args[1].shape, rows)
            elif not value.row.free:
                largest = max(
                    (elements(v.shape, rows) for v in (value, *value.args)),
                    key=lambda cost: (cost.each, cost.fixed),
                )
                others += largest
    return Work(products, others)


def _product(value: Value, rows: int) -> tuple[Cost, Cost]:
    """Return the cost of a matrix product, and of the sums that a row of ones makes of it."""
    a, b = value.args
    inner, outer = a.shape[1], elements(value.shape, rows)
    if not _has_ones(b):
        return _times(outer, elements((inner,), rows)) * 2, Cost()
    if b.op == "transpose":  # dL/d[W b] = dL/dz [x; 1]^T
        bias = elements((value.shape[0],), rows)
        whole = _times(outer + bias * -1, elements((inner,), rows))
        return whole * 2, _times(bias, elements((inner,), rows))
    assert isinstance(inner, int)  # z = [W b] [x; 1]
    return outer * (2 * (inner - 1)), outer


def _has_ones(value: Value) -> bool:
    inside = value.args[0] if value.op == "transpose" else value
    return inside.op == "with_ones"


def _times(a: Cost, b: Cost) -> Cost:
    """Return the product of two sizes; at most one depends on the batch."""
    assert not (a.each and b.each)
    return Cost(a.fixed * b.fixed, a.each * b.fixed + a.fixed * b.each)


def elements(shape: Shape, rows: int) -> Cost:
    """Return the number of elements of an array; a sample is `rows` rows of the batch."""
    fixed = math.prod(dim for dim in shape if isinstance(dim, int))
    if batched(shape):
        return Cost(0, fixed * rows_of(shape) * rows)
    return Cost(fixed, 0)


def _total(costs: Iterable[Cost]) -> Cost:
    whole = Cost()
    for cost in costs:
        whole += cost
    return whole
