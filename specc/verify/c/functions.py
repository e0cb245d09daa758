"""The functions of a C source that its Python binding does not call, for NumPy arrays.

Takes an imported module of the target C and its Model; shares memory with them. Invariant: nothing
is computed here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = tuple[Array, Array]


USED = 0xAB
"""The byte that fills memory which was used before."""
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class Loop:
    """The training loop of the source, called on a Model as a C program would call it.

    The state of a run is in memory that was used before.
    """

    def __init__(
        self, module: Any, net: Any, name: str, shuffles: bool, held: int = USED
    ) -> None:
        """Take a module, a Model of it, the name of the spec, and whether samples are shuffled.

        `held` is the byte that fills the memory.
        """
        self._net, self._name, self._shuffles = net, name, shuffles
        self._pair: Any = module.Samples
        self.seed = int(net.seed)
        """The seed of the run, which may differ from that of the model."""
        size = module.Run(net, *[1] * by_length(module)).memory.nbytes
        self._memory = np.full(size + 64, held, np.uint8)
        self._at = self._memory.ctypes.data + -self._memory.ctypes.data % 64
        state: type[ctypes.Structure] = module.RunState
        self.state: Any = state.from_address(self._at + size - ctypes.sizeof(state))
        self._numbers = 2 * len(module.FIGURES) + 2
        self.log: list[Array] = []
        """For each epoch what the callback received: metrics of training, then of validation (0 if
        there is none), the rate, and two integers: the epoch, and whether it validated."""

    def fit(
        self,
        training: Pair,
        held_out: Pair | None,
        epochs: int,
        after: Callable[[], int] = lambda: 0,
    ) -> int:
        """Train from the start; return how it ended, as in the header. `after` can end an epoch."""
        given = self._samples(training, held_out, epochs)
        return int(self._call("fit", *given, self._told(after), None))

    def begin(self, epochs: int = 4) -> None:
        """Start a run of so many epochs."""
        takes = getattr(self._net._c, f"{self._name}_begin").argtypes[2:]
        self._call("begin", *[epochs] * len(takes))

    def go_on(
        self,
        training: Pair,
        held_out: Pair | None,
        epochs: int,
        after: Callable[[], int] = lambda: 0,
    ) -> tuple[int, Array]:
        """Train up to `epochs` epochs; return how it ended, and the log of each epoch."""
        if hasattr(self._net._c, f"{self._name}_measure") and not self.state.epochs:
            x = np.ascontiguousarray(training[0])
            measure = getattr(self._net._c, f"{self._name}_measure")
            place = ctypes.c_void_p(self._net._m), ctypes.c_void_p(x.ctypes.data)
            measure(*place, ctypes.c_size_t(len(x)))
        first = self.state.epochs
        log = np.full((epochs - first + 1, self._numbers), 7.0)
        given = self._samples(training, held_out, epochs)
        at = ctypes.c_void_p(log.ctypes.data)
        ended = self._call("go_on", *given, at, self._told(after), None)
        return int(ended), log[: self.state.epochs - first]

    def finish(self) -> None:
        """Leave the best parameters in the model."""
        self._call("finish")

    def _samples(self, training: Pair, held_out: Pair | None, epochs: int) -> list[Any]:
        self._kept = [
            np.ascontiguousarray(part) for part in training + (held_out or ())
        ]
        at = [ctypes.c_void_p(part.ctypes.data) for part in self._kept]
        count = len(training[0])
        self._pairs = [self._pair(*at[:2], count)]
        if held_out is not None:
            self._pairs.append(self._pair(*at[2:], len(held_out[0])))
        given: list[Any] = [ctypes.byref(pair) for pair in self._pairs]
        given += [None] * (held_out is None)
        if self._shuffles:
            self._order = np.empty(2 * count + 1, np.uint32)
            given.append(ctypes.c_void_p(self._order.ctypes.data))
        return [*given, ctypes.c_int32(epochs), ctypes.c_uint64(self.seed)]

    def _told(self, after: Callable[[], int]) -> Any:
        def called(now: int, user: Any) -> int:
            numbers = ctypes.cast(now, ctypes.POINTER(ctypes.c_double))
            self.log.append(np.array(numbers[: self._numbers]))
            return after()

        return CALLBACK(called)

    def _call(self, function: str, *given: Any) -> Any:
        at = ctypes.c_void_p(self._net._m), ctypes.c_void_p(self._at)
        return getattr(self._net._c, f"{self._name}_{function}")(*at, *given)


def by_length(module: Any) -> bool:
    """True if the learning rate depends on the length of the run."""
    return "length" in (field[0] for field in module.RunState._fields_)


def train_step(net: Any, name: str, x: Array, y: Array, lr: float) -> float:
    """Do one update as a C program would; return the loss before it."""
    function = getattr(net._c, f"{name}_train_step")
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    at = [ctypes.c_void_p(part.ctypes.data) for part in (x, y)]
    count, rate = ctypes.c_size_t(len(x)), ctypes.c_double(lr)
    return float(function(ctypes.c_void_p(net._m), *at, count, rate))


def in_training(net: Any, name: str, x: Array, y: Array) -> float:
    """Return the loss of a batch in training, for a network that differs there."""
    function = getattr(net._c, f"{name}_loss_and_gradients")
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    at = [ctypes.c_void_p(part.ctypes.data) for part in (x, y)]
    given = *at, ctypes.c_size_t(len(x)), ctypes.c_void_p(net._gradient), None
    places = ctypes.c_void_p(net._m), ctypes.c_void_p(net._workspace())
    return float(function(*places, *given, ctypes.c_int(1)))


def get(net: Any, name: str, flat: Array) -> None:
    """Write every parameter of a Model into `flat`, (parameters,), in the order of torch."""
    _with_flat(net, f"{name}_get", flat)


def set_(net: Any, name: str, flat: Array) -> None:
    """Read every parameter of a Model from `flat`, (parameters,), in the order of torch."""
    _with_flat(net, f"{name}_set", flat)


def _with_flat(net: Any, function: str, flat: Array) -> None:
    at = ctypes.c_void_p(net._m), ctypes.c_void_p(flat.ctypes.data)
    getattr(net._c, function)(*at)


def learning_rate(net: Any, name: str, *given: float) -> float:
    """Return the rate of the source; the arguments are those of the binding."""
    function = getattr(net._c, f"{name}_learning_rate")
    function.restype = ctypes.c_double
    return float(function(*map(ctypes.c_double, given)))


def update(net: Any, name: str, gradient: Array, lr: float) -> None:
    """Update the parameters by a gradient, padded as the source pads parameters."""
    function = getattr(net._c, f"{name}_update")
    at = ctypes.c_void_p(net._m), ctypes.c_void_p(gradient.ctypes.data)
    function(*at, ctypes.c_double(lr))


def begun_in(net: Any, name: str, filled: int) -> Array:
    """Initialize a model in memory full of a byte; return it with 64 bytes after it."""
    memory = net._held[0]
    size = memory.nbytes
    room = np.full(size + 192, filled, np.uint8)
    start = -room.ctypes.data % 64
    at = ctypes.c_void_p(room.ctypes.data + start), ctypes.c_uint64(int(net.seed))
    getattr(net._c, f"{name}_init")(*at)
    return room[start : start + size + 64]
