"""The check of float32, the default precision of training.

Takes a Subject and yields findings. The other checks use float64, where rounding hides nothing; but
some kernels exist only for float32, and a C source is compiled again for it. So the module is
compared with itself in float64, which the other checks cover. The tolerance is measured: with
float64 parameters perturbed by a rounding of float32, and with the network of torch in float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from specc.verify.compare.finding import Finding
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import MissingTorch, Tensor, torch
from specc.verify.reference.round_off import off

ROUNDING = 2.0**-24
"""Half of the distance of 1 from the next float32."""
CLOSE = 1e-3
"""The relative tolerance of an array; a fault has errors of 0.1 or more."""
AMPLIFIED = 100
"""The tolerance as a multiple of the effect of one rounding of float32 in float64."""
DRAWS = 3
"""The number of draws of samples: a kink may be within a rounding of some."""
WIDE = 256
"""A batch that is large enough for the kernel of large products."""
CANCELLED = 1e-4
"""Gradients below this part of the largest may be what cancellation left."""
RATE = 0.01
"""The learning rate of the step; that of a schedule may be too small for float32."""
LARGEST = 1e30
"""Larger numbers are too close to the limit of float32."""

Numbers = Mapping[str, Tensor]


def single(subject: Subject) -> Iterator[Finding]:
    """Compare predictions, gradients and a step with those in float64.

    If a module chooses kernels by processor, all of them are compared.
    """
    for said in _kernels(subject.module):
        for training in subject.modes:
            for draw in range(DRAWS):
                made = list(_compared(subject, draw, training, said))
                if all(finding.ok for finding in made):
                    break
            yield from made


def _kernels(module: Any) -> Iterator[str]:
    """Yield once for the kernels that a module chooses, and once for those of other processors."""
    yield ""
    if hasattr(module, "by_onednn") and module.FUSED_LINEAR is None:
        module.FUSED_LINEAR = module.fused_linear()
        try:
            yield ", by oneDNN"
        finally:
            module.FUSED_LINEAR = None


def _compared(
    subject: Subject, draw: int, training: bool, kernels: str
) -> Iterator[Finding]:
    large = WIDE if hasattr(subject.module, "by_onednn") else subject.samples
    batch = min(subject.model.train.batch_size, WIDE)
    count = min(max(large, batch), subject.most)
    said = f"batch of {count}{', in training' if training else ''}{kernels}"
    x, y = (
        (values.float() if values.is_floating_point() else values)
        for values in subject.drawn(count, seed=draw)
    )
    state = {name: value.float().double() for name, value in subject.state().items()}
    exact = _made(subject, state, x, y, training, torch.float64)
    moved = off(state, subject.seed + draw, by=ROUNDING)
    other = _made(subject, moved, x, y, training, torch.float64)
    found = _made(subject, state, x, y, training, torch.float32)
    peer = _by_torch(subject, state, x, y, training)
    for made in (exact, other, found):
        _leave_out(made, exact["gradients"])
    size = max(_length(value) for value in state.values())
    for what, expected in exact.items():
        largest = max((float(v.abs().max()) for v in expected.values()), default=0.0)
        gap = _apart(other[what], expected)
        if what in peer:
            gap = max(gap, _apart(peer[what], expected))
        if not largest < LARGEST or not AMPLIFIED * gap < 0.1:
            note = f"{what} left out: rounding of float32 is amplified, or overflows"
            yield Finding("float32", what, 0.0, CLOSE, said=note)
            return
        error, bound = _apart(found[what], expected), CLOSE + AMPLIFIED * gap
        if what == "step":  # each is a difference of parameters, which are rounded
            longest = max(_length(value) for value in expected.values())
            bound += AMPLIFIED * ROUNDING * size / longest if longest else 0.0
        name = _worst(found[what], expected)
        yield Finding("float32", what, error, bound, f"most of all in {name}", said)


def _made(
    subject: Subject, state: Numbers, x: Tensor, y: Tensor, training: bool, dtype: Any
) -> dict[str, Numbers]:
    """Return predictions, gradients and the change by a step, by name, in a precision."""
    asked = {"training": True} if training else {}
    net = subject.module.Model(seed=0, dtype=dtype)
    net.load_state_dict({name: value.to(dtype) for name, value in state.items()})
    x, y = ((v.to(dtype) if v.is_floating_point() else v) for v in (x, y))
    loss, gradients = net.loss_and_gradients(x, y, input_gradient=True, **asked)
    made: dict[str, Numbers] = {
        "prediction": {"prediction": net.predict(x), "loss": torch.tensor(float(loss))},
        "gradients": {name: value.clone() for name, value in gradients.items()},
    }
    if training or len(subject.modes) == 1:
        before = {name: value.double() for name, value in net.state_dict().items()}
        net.train_step(x, y, RATE)
        after = net.state_dict()
        made["step"] = {name: after[name].double() - before[name] for name in before}
    return made


def _by_torch(
    subject: Subject, state: Numbers, x: Tensor, y: Tensor, training: bool
) -> dict[str, Numbers]:
    """Return predictions and gradients of torch's network in float32.

    It is {} if torch refuses the batch, or is not installed.
    """
    if training and len(x) == 1 and not subject.model.moves_on_one:
        return {}
    try:
        reference = subject.reference(state).float()
    except MissingTorch:
        return {}
    reference.draw(0, 0, len(x))
    with torch.no_grad():
        prediction = reference.eval()(x)
    truth = reference.truth(x, y, training)
    loss = torch.tensor(truth.loss)
    return {
        "prediction": {"prediction": prediction, "loss": loss},
        "gradients": truth.gradients,
    }


def _leave_out(made: dict[str, Numbers], gradients: Numbers) -> None:
    """Remove the steps of gradients that are only rounding errors, which Adam scales up."""
    largest = max((float(g.abs().max()) for g in gradients.values()), default=0.0)
    if "step" in made:
        made["step"] = {
            name: (
                value * (gradients[name].abs() >= CANCELLED * largest)
                if name in gradients
                else value
            )
            for name, value in made["step"].items()
        }


def _apart(found: Numbers, expected: Numbers) -> float:
    """Return the distance of arrays, relative to their lengths or 1/100 of the longest."""
    longest = max((_length(value) for value in expected.values()), default=0.0)
    return max(
        (_error(found[name], value, longest) for name, value in expected.items()),
        default=0.0,
    )


def _worst(found: Numbers, expected: Numbers) -> str:
    longest = max(_length(value) for value in expected.values())
    return max(expected, key=lambda name: _error(found[name], expected[name], longest))


def _error(found: Tensor, expected: Tensor, longest: float) -> float:
    if found.shape != expected.shape:
        return math.inf
    size = max(_length(expected), longest / 100)
    apart = _length(found.double() - expected.double())
    if apart == 0:
        return 0.0
    return apart / size if math.isfinite(apart) and size else math.inf


def _length(values: Tensor) -> float:
    return float(values.double().norm())
