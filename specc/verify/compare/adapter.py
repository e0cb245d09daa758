"""A module for NumPy arrays, adapted to checks that are written for torch tensors.

Takes an imported module, returns an object like a torch module: it takes and returns tensors, over
the same memory if possible. Attributes are set in the module itself. Invariant: nothing is
computed, and nothing is checked that the module would not check.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

from specc.verify.compare.tensors import torch

Piece = Any
ABSENT = object()
"""Stands for an attribute that the module did not have."""


def to_array(piece: Piece) -> Piece:
    """Return the arrays of tensors, also inside tuples, lists and dicts; keep everything else."""
    match piece:
        case AdaptedModel():
            return piece._inner
        case torch.dtype():
            return str(piece).removeprefix("torch.")
        case torch.Tensor():
            return piece.detach().numpy()
        case tuple() | list():
            return type(piece)(to_array(part) for part in piece)
        case dict():
            return {name: to_array(part) for name, part in piece.items()}
    return piece


def to_tensor(piece: Piece) -> Piece:
    """Return the tensors of arrays, over the same memory; keep everything else, a History too."""
    if isinstance(piece, np.ndarray):
        own = piece if all(step >= 0 for step in piece.strides) else piece.copy()
        own = own.view(np.int64) if own.dtype == np.uint64 else own
        return torch.from_numpy(own)
    if type(piece) in (tuple, list):
        return type(piece)(to_tensor(part) for part in piece)
    if type(piece) is dict:
        return {name: to_tensor(part) for name, part in piece.items()}
    return piece


def taking_tensors(function: Any) -> Any:
    """Return a function of the module that is called with tensors."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return to_tensor(function(*to_array(args), **to_array(kwargs)))

    return called


def taking_arrays(function: Any) -> Any:
    """Return a function for tensors that the module can call with arrays."""

    def called(*args: Any, **kwargs: Any) -> Any:
        return to_array(function(*to_tensor(args), **to_tensor(kwargs)))

    return called


class AdaptedModel:
    """A Model whose methods take and return tensors."""

    def __init__(self, inner: Any) -> None:
        self.__dict__["_inner"] = inner

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._inner, name)
        return taking_tensors(found) if callable(found) else to_tensor(found)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._inner, name, taking_arrays(value) if callable(value) else value)


class Adapted:
    """A module whose `Model` returns an AdaptedModel."""

    def __init__(self, inner: ModuleType) -> None:
        self.__dict__["_inner"] = inner
        self.__dict__["_before"] = {}

    def Model(self, *args: Any, **kwargs: Any) -> AdaptedModel:
        return AdaptedModel(self._inner.Model(*to_array(args), **to_array(kwargs)))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return taking_tensors(found) if callable(found) else found

    def __setattr__(self, name: str, value: Any) -> None:
        self._before.setdefault(name, getattr(self._inner, name, ABSENT))
        own = taking_arrays(value) if callable(value) else value
        setattr(self._inner, name, own)

    def __delattr__(self, name: str) -> None:
        """Restore the value before `__setattr__`, which is how monkeypatch undoes it."""
        before = self._before.pop(name)
        if before is ABSENT:
            delattr(self._inner, name)
        else:
            setattr(self._inner, name, before)
