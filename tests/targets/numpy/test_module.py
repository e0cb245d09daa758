"""The numpy target's module with nothing but NumPy, in the hands of other code, at extremes.

What every target promises is in emitted/, what they agree on in
emitted/mathematics/test_conformance.py.
"""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cases.modules import EXAMPLES, compiled, example, module_of_spec
from tests.cases.networks import CASES

ALONE = """
import importlib, sys
import numpy as np

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "specc", "lark", "jinja2", "black"):
            raise ModuleNotFoundError(f"{name} is blocked")

sys.meta_path.insert(0, Refuse())
sys.dont_write_bytecode = True
sys.path.insert(0, ".")
draw = np.random.default_rng(0)
before = draw.bit_generator.state, np.geterr()
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    model = module.Model(dtype="float64")
    x = draw.random((23, *module.INPUT_SHAPE))
    y = draw.random((23, *module.TARGET_SHAPE)).round()
    if hasattr(module, "check_classes"):
        y = draw.integers(0, module.OUTPUT_SHAPE[-1], (23, *module.TARGET_SHAPE))
    history = model.fit(x, y, x, y, epochs=2, checkpoint="run")
    again = module.Model(dtype="float64")
    assert again.fit(x, y, x, y, epochs=2, checkpoint="run", resume=True)
    assert (again.flat_parameters == model.flat_parameters).all()
    model.save("net")
    again = module.Model(seed=9, dtype=np.float64)
    again.load("net")
    assert (again.predict(x) == model.predict(x)).all()
    assert type(model.train_step(x, y, 0.1)) is float and len(history) == 2
assert np.geterr() == before[1]
assert not {"torch", "specc"} & set(sys.modules)
print("done")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write every example's module into a folder of its own."""
    place = tmp_path_factory.mktemp("numpy")
    for name in EXAMPLES:
        text = compiled(example(name), target="numpy")
        (place / f"{name}.py").write_text(text)
    return place


def test_numpy_is_all_that_it_needs(folder: Path) -> None:
    command = [sys.executable, "-I", "-W", "error", "-c", ALONE, *EXAMPLES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_it_is_a_command(folder: Path) -> None:
    command = [sys.executable, "-B", "iris.py", "--help"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "iris: 4 -> 16 -> 16 -> 3" in done.stdout and "NumPy alone" in done.stdout


def raw(name: str) -> Any:
    """Give a module over arrays as it is, without the adapter."""
    return module_of_spec(CASES[name], target="numpy")._inner


def drawn(module: Any, count: int, scale: float = 1.0) -> tuple[Any, Any]:
    draw = np.random.default_rng(1)
    x = scale * draw.standard_normal((count, *module.INPUT_SHAPE))
    shape = (count, *module.TARGET_SHAPE)
    if hasattr(module, "check_classes"):
        return x, draw.integers(0, module.OUTPUT_SHAPE[-1], shape)
    return x, draw.random(shape).round()


@pytest.mark.parametrize("by", ["pickle", "deepcopy", "copy"])
@pytest.mark.parametrize("name", ["diabetes", "disk"])
def test_a_copy_goes_on_as_the_model_would(name: str, by: str) -> None:
    """The optimizer's vectors go along, and the copy shares no memory."""
    module = raw(name)
    x, y = drawn(module, 9)
    model = module.Model(seed=3, dtype="float64")
    model.train_step(x, y, 0.1)
    made = {
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
        "deepcopy": lambda: copy.deepcopy(model),
        "copy": lambda: copy.copy(model),
    }[by]()
    before = made.flat_parameters.copy()
    model.train_step(x, y, 0.1)
    assert (made.flat_parameters == before).all()
    made.train_step(x, y, 0.1)
    assert (made.flat_parameters == model.flat_parameters).all()
    assert not (made.flat_parameters == before).all()
    for key, value in made.parameters.items():
        assert np.shares_memory(value, made.flat_parameters), key


STABLE = [
    name for name in CASES if not name.startswith(("wide", "columns", "axes", "names"))
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", STABLE)
def test_large_numbers_warn_nobody(name: str, dtype: str) -> None:
    """Nothing overflows that has a finite result: exponentials take what is below 0."""
    module = raw(name)
    model = module.Model(dtype=dtype)
    x, y = drawn(module, 7, scale=1e4)
    x, y = x.astype(dtype), y if y.dtype == np.int64 else y.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [model.predict(x), *model.loss_and_gradients(x, y)[1].values()]
        found.append(np.array(list(model.evaluate(x, y).values())))
    assert all(np.isfinite(each).all() for each in found)


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_an_exponential_that_is_not_shifted_is_seen() -> None:
    text = compiled(CASES["classes_fused"], target="numpy")
    shifted = "    z = z - z.max(axis=1, keepdims=True)\n"
    assert text.count(shifted) == 1
    module: dict[str, Any] = {"__name__": "unstable"}
    exec(compile(text.replace(shifted, ""), "unstable.py", "exec"), module)
    model = module["Model"](dtype="float32")
    x, y = drawn(raw("classes_fused"), 7, scale=1e4)
    with pytest.warns(RuntimeWarning, match="overflow"):
        model.loss(x.astype(np.float32), y)


def test_a_fit_that_explodes_warns_nobody() -> None:
    """The history tells, and numpy's settings are as before."""
    module = raw("chain")
    before = np.geterr()
    x, y = drawn(module, 7)
    model = module.Model(dtype="float64")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model.fit(1e6 * x, 1e6 * y)
    assert history.stopped_by == "non_finite" and np.geterr() == before
    assert np.isfinite(model.flat_parameters).all()


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_arrays_of_any_layout_are_taken() -> None:
    """Reversed, of Fortran's order, read-only or of a subclass: the numbers are the same."""
    module = raw("relu")
    model = module.Model(dtype="float64")
    x, y = drawn(module, 8)
    expected, loss = model.predict(x), model.loss(x, y)
    frozen = x.copy()
    frozen.flags.writeable = False
    others = [np.asfortranarray(x), x[::-1].copy()[::-1], frozen, np.matrix(x)]
    for other in others:
        np.testing.assert_allclose(model.predict(other), expected, rtol=1e-14)
        assert type(model.predict(other)) is np.ndarray
        assert model.loss(other, y) == pytest.approx(loss, rel=1e-14)
        model.fit(other, y, epochs=1)
        model = module.Model(dtype="float64")
    assert (x == frozen).all()


@pytest.mark.parametrize("dtype", ["float16", "int64", "nonsense", object])
def test_another_dtype_is_refused(dtype: Any) -> None:
    with pytest.raises(ValueError, match="dtype is float32 or float64, found"):
        raw("relu").Model(dtype=dtype)
