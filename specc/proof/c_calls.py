"""The functions of a C source that its Python binding does not call, for NumPy arrays.

Takes an imported module of the target C and its Model; shares memory with them, computes nothing.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def own_fit(
    module: Any,
    net: Any,
    name: str,
    shuffles: bool,
    training: tuple[Array, Array],
    held_out: tuple[Array, Array],
    epochs: int,
) -> int:
    """Train a Model in place by the source's own loop; give how that ended, as its header says."""
    run = module.Run(net)
    x, y, x_held, y_held = map(np.ascontiguousarray, (*training, *held_out))
    order = np.empty(2 * len(x) + 1, np.uint32)
    return int(
        getattr(net._c, f"{name}_fit")(
            ctypes.c_void_p(net._m),
            ctypes.c_void_p(run.address),
            *(ctypes.c_void_p(part.ctypes.data) for part in (x, y)),
            ctypes.c_size_t(len(x)),
            *(ctypes.c_void_p(part.ctypes.data) for part in (x_held, y_held)),
            ctypes.c_size_t(len(x_held)),
            *([ctypes.c_void_p(order.ctypes.data)] if shuffles else []),
            ctypes.c_int32(epochs),
            ctypes.c_uint64(int(net.seed)),
            None,
            None,
        )
    )


def train_step(net: Any, name: str, x: Array, y: Array, lr: float) -> float:
    """Do one update as a program in C would; give the loss before it."""
    function = getattr(net._c, f"{name}_train_step")
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    at = [ctypes.c_void_p(part.ctypes.data) for part in (x, y)]
    count, rate = ctypes.c_size_t(len(x)), ctypes.c_double(lr)
    return float(function(ctypes.c_void_p(net._m), *at, count, rate))


def get(net: Any, name: str, flat: Array) -> None:
    """Write every parameter of a Model into `flat`, (parameters,), in the order of torch."""
    _with_flat(net, f"{name}_get", flat)


def set_(net: Any, name: str, flat: Array) -> None:
    """Read every parameter of a Model from `flat`, (parameters,), in the order of torch."""
    _with_flat(net, f"{name}_set", flat)


def _with_flat(net: Any, function: str, flat: Array) -> None:
    at = ctypes.c_void_p(net._m), ctypes.c_void_p(flat.ctypes.data)
    getattr(net._c, function)(*at)


def begun_in(net: Any, name: str, filled: int) -> Array:
    """Begin a model in memory full of a byte; give all of it afterwards, and 64 bytes beyond."""
    memory = net._held[0]
    size = memory.nbytes
    room = np.full(size + 192, filled, np.uint8)
    start = -room.ctypes.data % 64
    at = ctypes.c_void_p(room.ctypes.data + start), ctypes.c_uint64(int(net.seed))
    getattr(net._c, f"{name}_init")(*at)
    return room[start : start + size + 64]
