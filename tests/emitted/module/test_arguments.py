"""What the emitted module's methods take for x and y, and how they refuse the rest."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from specc.verify.compare.adapter import Adapted, AdaptedModel
from tests.cases.models import (
    TENSORS_ALONE,
    in_words_of,
    model_of,
    state,
)
from tests.cases.modules import (
    module_of_example,
)
from tests.cases.samples import samples

# What x and y must be.


def module_behind(model: Any) -> Any:
    """Give the module that a Model comes from."""
    if isinstance(model, AdaptedModel):
        return Adapted(sys.modules[type(model._inner).__module__])
    return sys.modules[type(model).__module__]


ENTRIES: dict[str, Callable[[Any, Any, Any], object]] = {
    "forward": lambda model, x, y: model.forward(x),
    "predict": lambda model, x, y: model.predict(x),
    "loss": lambda model, x, y: model.loss(x, y),
    "evaluate": lambda model, x, y: model.evaluate(x, y),
    "loss_and_gradients": lambda model, x, y: model.loss_and_gradients(x, y),
    "train_step": lambda model, x, y: model.train_step(x, y, 0.1),
    "fit": lambda model, x, y: model.fit(x, y, *samples(module_behind(model), 3)),
    "as_module": lambda model, x, y: model.as_module()(x),
}

BAD_X: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "rank": (lambda x: x[0], r"x: expected shape \(n, {shape}\), found \({shape},?\)"),
    "more axes": (
        lambda x: x[None],
        r"x: expected shape \(n, {shape}\), found \(1, 5, ",
    ),
    "number": (lambda x: x.sum(), r"x: expected shape \(n, {shape}\), found \(\)"),
    "trailing": (lambda x: x[:, 1:], r"x: expected shape \(n, {shape}\), found \(5, "),
    "dtype": (lambda x: x.float(), "x: expected torch.float64, found torch.float32"),
    "whole": (lambda x: x.long(), "x: expected torch.float64, found torch.int64"),
    "none": (lambda x: x[:0], "x: expected at least one sample, found none"),
    "array": (lambda x: x.numpy(), "x: expected a Tensor, found ndarray"),
    "list": (lambda x: x.tolist(), "x: expected a Tensor, found list"),
    "device": (lambda x: x.to("meta"), "x: expected it on cpu, found meta"),
}

BAD_Y: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "rank": (lambda y: y[None], r"y: expected shape \(n.*\), found \(1, 5"),
    "trailing": (lambda y: torch.stack([y, y], 1), r"y: expected shape .*found \(5, 2"),
    "dtype": (lambda y: y.float(), r"y: expected torch.\w+, found torch.float32"),
    "lengths": (lambda y: y[:3], "y has 3 samples, x has 5"),
    "none": (lambda y: y[:0], "y: expected at least one sample, found none"),
    "array": (lambda y: y.numpy(), "y: expected a Tensor, found ndarray"),
    "device": (lambda y: y.to("meta"), "y: expected it on cpu, found meta"),
}

BAD_CLASSES: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "above": (lambda y: y.clone().index_fill_(0, torch.tensor([2]), 3), "found 3"),
    "below": (lambda y: y.clone().index_fill_(0, torch.tensor([2]), -1), "found -1"),
}


def refused(name: str, entry: str, x: Any, y: Any, message: str, target: str) -> None:
    """See that an entry refuses x and y, and that nothing changes."""
    model = model_of(name, target=target)
    before = state(model)
    with pytest.raises(ValueError, match=in_words_of(target, message)):
        ENTRIES[entry](model, x, y)
    assert torch.equal(state(model), before)
    good = samples(module_of_example(name), 5)
    assert np.isfinite(model.evaluate(*good)["loss"])


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("fault", BAD_X)
def test_an_x_that_does_not_fit_is_refused(entry: str, fault: str, target: str) -> None:
    if target != "torch" and (fault in TENSORS_ALONE or entry == "as_module"):
        pytest.skip("torch alone has those")
    change, message = BAD_X[fault]
    for name in ("disk", "iris"):
        module = module_of_example(name, target=target)
        x, y = samples(module, 5)
        shape = str(module.INPUT_SHAPE[0])
        refused(
            name, entry, change(x), y, message.replace("{shape}", shape), target=target
        )


@pytest.mark.parametrize(
    "entry", ["loss", "evaluate", "loss_and_gradients", "train_step", "fit"]
)
def test_a_y_that_does_not_fit_is_refused(entry: str, target: str) -> None:
    for name in ("disk", "iris"):
        x, y = samples(module_of_example(name, target=target), 5)
        for fault, (change, message) in BAD_Y.items():
            if target != "torch" and fault in TENSORS_ALONE:
                continue
            refused(name, entry, x, change(y), message, target=target)
    for change, found in BAD_CLASSES.values():
        message = f"y: expected classes 0 to 2, {found}"
        refused("iris", entry, x, change(y), message, target=target)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", ["x", "y", "x_val", "y_val"])
def test_fit_refuses_numbers_that_are_not_finite(
    place: str, value: float, target: str
) -> None:
    module, model = module_of_example("disk", target=target), model_of(
        "disk", target=target
    )
    given = dict(zip(("x", "y"), samples(module, 5), strict=True))
    given |= dict(zip(("x_val", "y_val"), samples(module, 4), strict=True))
    given[place][3, 0] = value
    before = state(model)
    with pytest.raises(ValueError, match=f"{place}: sample 3 .* not finite"):
        model.fit(**given)
    assert torch.equal(state(model), before)


@pytest.mark.parametrize("place", ["x_val", "y_val"])
def test_validation_samples_are_checked_by_name(place: str, target: str) -> None:
    module, model = module_of_example("iris", target=target), model_of(
        "iris", target=target
    )
    given = dict(zip(("x", "y"), samples(module, 5), strict=True))
    given |= dict(zip(("x_val", "y_val"), samples(module, 4), strict=True))
    given[place] = given[place].float()
    with pytest.raises(
        ValueError, match=f"{place}: expected .* found (torch.)?float32"
    ):
        model.fit(**given)


def test_what_carries_a_graph_is_taken_without_it() -> None:
    module, model = module_of_example("disk"), model_of("disk")
    x, y = samples(module, 5)
    x.requires_grad_()
    assert not model.predict(x).requires_grad
    assert not model.train_step(x * 1, y, 0.1).requires_grad


NOT_DENSE: dict[str, Callable[[Tensor], Any]] = {
    "sparse": lambda x: x.to_sparse(),
    "csr": lambda x: x.to_sparse_csr(),
    "nested": lambda x: torch.nested.nested_tensor(list(x)),
    "jagged": lambda x: torch.nested.nested_tensor(list(x), layout=torch.jagged),
    "mkldnn": lambda x: x.float().to_mkldnn(),
    "masked": lambda x: torch.masked.masked_tensor(x, x > 0),
    "bfloat16": lambda x: x.bfloat16(),
    "half": lambda x: x.half(),
    "complex": lambda x: x.to(torch.complex128),
    "quantized": lambda x: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8),
    "meta": lambda x: x.to("meta"),
}
"""Other tensors than dense ones of the right dtype."""
NOT_PLAIN: dict[str, Callable[[Any], Any]] = {
    "masked": lambda x: np.ma.masked_array(x, x > 0),
    "object": lambda x: x.astype(object),
    "big-endian": lambda x: x.astype(">f8"),
    "complex": lambda x: x.astype(complex),
    "half": lambda x: x.astype(np.float16),
    "text": lambda x: x.astype(str),
    "fields": lambda x: np.zeros(5, dtype=[("a", "f8"), ("b", "f8")]),
    "frame": lambda x: type("DataFrame", (), {"__array__": lambda self: x})(),
}
"""Other arrays than plain ones of the right dtype."""


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_dense_is_refused_by_name(target: str) -> None:
    module = module_of_example("disk", target=target)
    model = model_of("disk", target=target)
    own = getattr(model, "_inner", model)
    x, y = samples(module, 5)
    kinds = NOT_DENSE if target == "torch" else NOT_PLAIN
    given = (x, y) if target == "torch" else (x.numpy(), y.numpy())
    for kind, change in kinds.items():
        wrong = change(given[0])
        calls: tuple[Callable[[], Any], ...] = (
            lambda w=wrong: own.predict(w),
            lambda w=wrong: own.loss_and_gradients(w, given[1]),
            lambda w=wrong: own.fit(w, given[1], *given),
        )
        for call in calls:
            with pytest.raises(ValueError, match="x: expected ") as caught:
                call()
            assert "\n" not in str(caught.value), kind
        with pytest.raises(ValueError, match="y: expected "):
            own.loss(given[0], change(given[1]))


@pytest.mark.filterwarnings("ignore")
def test_a_state_that_is_not_dense_is_refused_by_name(target: str) -> None:
    model = model_of("disk", target=target)
    own = getattr(model, "_inner", model)
    state = own.state_dict()
    name = "linear2.weight"
    kinds = [torch.Tensor.to_sparse, lambda p: torch.nested.nested_tensor(list(p))]
    if target != "torch":
        kinds = [lambda p: np.ma.masked_array(p, p > 0), lambda p: p.astype(object)]
    for change in kinds:
        with pytest.raises(ValueError, match=f"state: '{name}': expected "):
            own.load_state_dict({**state, name: change(state[name])})


def test_arrays_of_any_order_are_taken(target: str) -> None:
    if target == "torch":
        pytest.skip("its tensors are views of any order")
    module = module_of_example("disk", target=target)
    own = model_of("disk", target=target)._inner
    x = samples(module, 6)[0].numpy()
    frozen = x.copy()
    frozen.setflags(write=False)
    odd = np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(float).reshape(x.shape)
    expected = own.predict(x)
    for same in (np.asfortranarray(x), np.matrix(x), x[::-1][::-1], frozen, odd):
        found = own.predict(same)
        assert type(found) is np.ndarray and np.array_equal(found, expected)
