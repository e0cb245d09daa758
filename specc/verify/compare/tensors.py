"""torch for the checks, or its stand-in where torch is not installed.

The checks import torch from here. Invariant: with torch, these are its own modules and classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.verify.compare.stand_in import MissingTorch

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional as F
else:
    try:
        import torch
        from torch import Tensor, nn
        from torch.nn import functional as F
    except ModuleNotFoundError:
        from specc.verify.compare import stand_in as torch
        from specc.verify.compare.stand_in import Tensor, nn
        from specc.verify.compare.stand_in import functional as F

__all__ = ["F", "MissingTorch", "Tensor", "nn", "torch"]
