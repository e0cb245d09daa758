"""What the checks use of torch, over NumPy: for `specc verify` where torch is not installed.

Takes the names and arguments of torch, returns tensors that are NumPy arrays. Invariant: a name of
torch that is not here can be imported and raises MissingTorch when it is called, so that a check
which needs autograd, torch.nn or torch.optim is left out, and no other.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class MissingTorch(Exception):
    """A check needs torch, which is not installed."""


class _Nameless(type):
    """The type of Absent, whose attributes are absent too."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent


class Absent(metaclass=_Nameless):
    """Stands for a function, a class or a module of torch that has no stand-in."""

    def __new__(cls, *given: Any, **named: Any) -> Self:
        """Raise MissingTorch: something of torch was called."""
        raise MissingTorch


nn = autograd = optim = functional = Absent


def __getattr__(name: str) -> Any:
    return _Nameless.__getattr__(Absent, name)


class dtype:
    """An element type."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


float32, float64, int64 = dtype("float32"), dtype("float64"), dtype("int64")
bool_ = np.bool_


def _of(numbers: Any) -> Tensor:
    return np.asarray(numbers).view(Tensor)


def _plain(numbers: Any) -> Any:
    return numbers.numpy() if isinstance(numbers, Tensor) else numbers


class Tensor(np.ndarray[Any, Any]):
    """An array with the methods of a tensor that the checks call."""

    def numpy(self) -> NDArray[Any]:
        return self.view(np.ndarray)

    def detach(self) -> Tensor:
        return self

    def clone(self) -> Tensor:
        return _of(self.numpy().copy())

    def copy_(self, other: Any) -> Tensor:
        np.copyto(self, _plain(other))
        return self

    def fill_(self, value: float) -> Tensor:
        self.numpy()[...] = value
        return self

    def zero_(self) -> Tensor:
        return self.fill_(0)

    def numel(self) -> int:
        return self.numpy().size

    def dim(self) -> int:
        return self.numpy().ndim

    def is_floating_point(self) -> bool:
        return self.numpy().dtype.kind == "f"

    def to(self, kind: Any) -> Tensor:
        return _of(self.numpy().astype(kind.name))

    def double(self) -> Tensor:
        return self if self.numpy().dtype == np.float64 else self.to(float64)

    def abs(self) -> Tensor:
        return _of(np.abs(self.numpy()))

    def square(self) -> Tensor:
        return _of(np.square(self.numpy()))

    def sigmoid(self) -> Tensor:
        x = self.numpy()
        part = np.exp(-np.abs(x))
        return _of(np.where(x >= 0, 1 / (1 + part), part / (1 + part)))

    def add(self, other: Any) -> Tensor:
        return _of(self.numpy() + _plain(other))

    def remainder(self, other: Any) -> Tensor:
        return _of(np.remainder(self.numpy(), _plain(other)))

    def clamp_min(self, least: float) -> Tensor:
        return _of(np.maximum(self.numpy(), least))

    def isnan(self) -> Tensor:
        return _of(np.isnan(self.numpy()))

    def isfinite(self) -> Tensor:
        return _of(np.isfinite(self.numpy()))

    def nan_to_num(self, nan: float) -> Tensor:
        x = self.numpy()
        limit = np.finfo(x.dtype).max if x.dtype.kind == "f" else 0
        return _of(np.nan_to_num(x, nan=nan, posinf=limit, neginf=-limit))

    def expand_as(self, other: Tensor) -> Tensor:
        return _of(np.broadcast_to(self.numpy(), other.shape))

    def norm(self) -> Tensor:
        return _of(np.sqrt(np.square(self.numpy()).sum()))

    def max(self) -> Tensor:  # type: ignore[override]
        return _of(self.numpy().max())

    def min(self) -> Tensor:  # type: ignore[override]
        return _of(self.numpy().min())

    def sum(self, dim: int | None = None) -> Tensor:  # type: ignore[override]
        return _of(self.numpy().sum(axis=dim))

    def mean(self, dim: int | None = None) -> Tensor:  # type: ignore[override]
        return _of(self.numpy().mean(axis=dim))

    def all(self, dim: int | None = None) -> Tensor:  # type: ignore[override]
        return _of(self.numpy().all(axis=dim))

    def any(self, dim: int | None = None) -> Tensor:  # type: ignore[override]
        return _of(self.numpy().any(axis=dim))

    def argmin(self, dim: int | None = None) -> Tensor:  # type: ignore[override]
        return _of(self.numpy().argmin(axis=dim))

    def argmax(self, dim: int | None = None) -> Tensor:  # type: ignore[override]
        return _of(self.numpy().argmax(axis=dim))


# Last, because it hides the type in the class.
Tensor.float = lambda self: self.to(float32)  # type: ignore[attr-defined]


class Generator:
    """A source of random numbers."""

    def manual_seed(self, seed: int) -> Generator:
        self.numbers = np.random.default_rng(seed)
        return self


def _shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    first = sizes[0] if sizes else ()
    return tuple(first) if isinstance(first, Sequence) else sizes


def randn(*sizes: Any, generator: Generator, dtype: Any = None) -> Tensor:
    return _of(generator.numbers.standard_normal(_shape(sizes)))


def rand(*sizes: Any, generator: Generator, dtype: Any = None) -> Tensor:
    return _of(generator.numbers.random(_shape(sizes)))


def randint(*given: Any, generator: Generator) -> Tensor:
    limits, shape = given[:-1], given[-1]
    low, high = limits if len(limits) == 2 else (0, *limits)
    return _of(generator.numbers.integers(low, high, size=shape))


def randperm(count: int, generator: Generator) -> Tensor:
    return _of(generator.numbers.permutation(count))


def tensor(numbers: Any, dtype: Any = None) -> Tensor:
    made = np.array(_plain(numbers))
    return _of(made.astype(dtype.name) if dtype else made)


def from_numpy(array: NDArray[Any]) -> Tensor:
    return array.view(Tensor)


def arange(*given: int) -> Tensor:
    return _of(np.arange(*given))


def zeros(*sizes: Any, dtype: Any = None) -> Tensor:
    return _of(np.zeros(_shape(sizes)))


def ones(*sizes: Any, dtype: Any = None) -> Tensor:
    return _of(np.ones(_shape(sizes)))


def full(shape: Sequence[int], value: float, dtype: Any = None) -> Tensor:
    return _of(np.full(tuple(shape), value))


def zeros_like(like: Tensor) -> Tensor:
    return _of(np.zeros_like(like.numpy()))


def full_like(like: Tensor, value: float) -> Tensor:
    return _of(np.full_like(like.numpy(), value))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    return _of(np.where(_plain(condition), _plain(a), _plain(b)))


def cat(parts: Sequence[Tensor]) -> Tensor:
    return _of(np.concatenate([part.numpy() for part in parts]))


def isfinite(numbers: Tensor) -> Tensor:
    return numbers.isfinite()


def equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a.numpy() == b.numpy()).all())


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    yield


def get_num_threads() -> int:
    return 1


def set_num_threads(count: int) -> None:
    """Do nothing: NumPy's threads are set by the environment."""


inf, nan, pi = math.inf, math.nan, math.pi
