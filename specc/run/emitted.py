"""An emitted torch module, as its user meets it: imported by path, called with tensors.

Takes paths and NumPy samples, returns the module and samples in torch. Invariant: no bytecode is
left beside the module, and no setting of torch is changed.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from specc.library.data.split import Split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from specc.library.data.split import Samples


def require_torch() -> None:
    """Raise ModuleNotFoundError if torch is not installed, before anything takes time."""
    if importlib.util.find_spec("torch") is None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")


def imported(path: Path) -> ModuleType:
    """Import the module at `path` without leaving bytecode beside it."""
    name = f"specc_run_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def beyond_float32(numbers: NDArray[np.float64]) -> float | None:
    """Return the number farthest from 0 if it is too large for float32, else None."""
    import numpy as np

    farthest = max(numbers.min(initial=0), numbers.max(initial=0), key=abs)
    with np.errstate(over="ignore"):
        return float(farthest) if np.isinf(np.float32(farthest)) else None


def real_types() -> dict[str, Any]:
    """Return the types of torch for numbers, by name."""
    import torch

    return {"float32": torch.float32, "float64": torch.float64}


def tensors(
    split: Split, device: str, dtype: str, wide: bool = False
) -> dict[str, tuple[Any, Any]]:
    """Return the parts of a split as torch tensors on `device`, real numbers in `dtype`.

    With `wide`, x stays float64: the network subtracts the mean before it rounds. Raises
    ValueError, with the message of torch, if the device cannot be used, or nothing can be copied
    back from it.
    """
    import torch

    real = real_types()[dtype]

    def moved(samples: Samples) -> tuple[Any, Any]:
        x, y = samples
        whole = y.dtype.kind == "i"
        target = torch.tensor(y, dtype=torch.int64 if whole else real, device=device)
        kind = torch.float64 if wide else real
        return torch.tensor(x, dtype=kind, device=device), target

    try:
        parts = {part: moved(samples) for part, samples in split.parts.items()}
        parts["train"][1][:1].cpu()
        return parts
    except (RuntimeError, AssertionError, TypeError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(reason) from None
