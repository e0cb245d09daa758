"""A Model says which network it is; what it refuses says what to type."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cases.modules import TARGETS, compiled, example, raw_module


@pytest.mark.parametrize("target", TARGETS)
def test_a_model_says_its_network(target: str) -> None:
    model = raw_module(compiled(example("disk"), target=target)).Model()
    assert repr(model) == (
        "<disk.Model: 2 -> 25 -> 25 -> 25 -> 1, 1,401 parameters, float32, cpu>"
    )


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_another_dtype_is_refused_with_what_to_type(target: str) -> None:
    module = raw_module(compiled(example("disk"), target=target))
    x = np.zeros((3, 2))
    with pytest.raises(ValueError) as refused:
        module.Model().predict(x)
    assert "x.astype('float32') or Model(dtype='float64')" in str(refused.value)
    assert module.Model(dtype="float64").predict(x).shape == (3, 1)
    assert module.Model().predict(x.astype("float32")).shape == (3, 1)
