"""The names that a spec cannot use.

Takes a name, returns the error that forbids it, or None. Invariant: an allowed name is an ASCII
identifier that hides nothing in an emitted module.
"""

from __future__ import annotations

import builtins
import keyword
import sys
from collections.abc import Container

from specc.ir.functions import CONSTANTS, FUNCTIONS
from specc.library.vocabulary import kinds_of
from specc.syntax.diagnostics import Diagnostic, error
from specc.syntax.tree import Name

RESERVED = frozenset("""
    accumulate add_product alpha Array backward batch BATCH_SIZE batches beta buffers
    by_onednn dense draw epoch finished forward g input_backward itertools last
    learning_rate learning_rates log_p lr mean_square mean_target np one_over_n
    order origin output output_gradient p Parameters part_over_n permutation positives
    prediction rates residual residual_flat s Saved self shift shifted squared_error
    step_loss Tensor torch track two_over_n update updates variance whole Workspace y
    """.split())
"""The names that emitted functions use besides those of layers, input and target."""

_ENDINGS = ("_loss", "_backward", "_gradient", "_metric", "_positives")
"""The endings of functions of emitted modules: `mse_gradient`, `relu_backward`."""

MODULE_ATTRIBUTES = frozenset("""
    add_module apply bfloat16 buffers call_super_init children compile cpu cuda double
    dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu load_state_dict modules mtia named_buffers named_children
    named_modules named_parameters parameters register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule share_memory state_dict T_destination to to_empty train
    training type xpu zero_grad
    """.split())
"""The attributes of torch.nn.Module, which cannot be names of layers."""

_PACKAGES = frozenset({"numpy", "safetensors", "specc", "torch"})


def builtin_kind(name: str) -> str | None:
    """Return the kind of a built-in word, None if it is not one."""
    if name == "repeat":
        return "layer"
    for kind in kinds_of(name):
        if kind != "setting":
            return "data source" if kind == "data" else kind
    if name in FUNCTIONS:
        return "function"
    return "constant" if name in CONSTANTS else None


def hides_module(name: str) -> bool:
    """True if a file `<name>.py` would shadow a module that others import."""
    return name in sys.stdlib_module_names or name in _PACKAGES


def forbidden_model(name: Name) -> Diagnostic | None:
    """Return the error if a model, and so a module, cannot be named `name`."""
    if hides_module(name.text):
        message = f"a module `{name.text}` would shadow the one that Python imports"
        return error("E025", message, name.span, "choose another name")
    return _of_python(name)


def forbidden(name: Name) -> Diagnostic | None:
    """Return the error if nothing in a spec can be named `name`."""
    kind = builtin_kind(name.text)
    if kind is not None:
        message = f"`{name.text}` is the name of a built-in {kind}"
        return error("E024", message, name.span, "choose another name")
    return _of_python(name)


def forbidden_loss(name: Name, function: str) -> Diagnostic | None:
    """Return the error if a loss cannot be named `name`; its emitted function is `function`."""
    if function in RESERVED:
        message = f"`{function}` is a name that the emitted module uses"
        return error("E025", message, name.span, "choose another name")
    return None


def forbidden_value(name: Name) -> Diagnostic | None:
    """Return the error if a layer, the input, or a target other than `y`, cannot be named `name`.

    Emitted functions have these as arguments, but not params and blocks.
    """
    if used_by_module(name.text):
        message = f"`{name.text}` is a name that the emitted module uses"
        return error("E025", message, name.span, "choose another name")
    return forbidden(name)


def forbidden_target(name: Name) -> Diagnostic | None:
    """Return the error if the target cannot be named `name`; `y` is allowed."""
    return forbidden(name) if name.text == "y" else forbidden_value(name)


def forbidden_layer(name: Name) -> Diagnostic | None:
    """Return the error if a layer, or a call of a block, cannot be named `name`."""
    if name.text in MODULE_ATTRIBUTES:
        message = f"`{name.text}` is an attribute of every `torch.nn.Module`"
        return error("E025", message, name.span, "choose another name")
    return forbidden_value(name)


def used_by_module(name: str) -> bool:
    """True if emitted functions use a name besides those of the network."""
    partial = "_from_" in name  # a partial sum of a derivative
    ends = name.endswith(_ENDINGS) or name.startswith("_")
    return name in RESERVED or ends or partial


def forbidden_parameter(name: Name) -> Diagnostic | None:
    """Return the error if a parameter of a definition cannot be named `name`."""
    return _one_of(name, "a Python keyword", keyword.kwlist)


def _of_python(name: Name) -> Diagnostic | None:
    built_in = _one_of(name, "a Python built-in", vars(builtins))
    return forbidden_parameter(name) or built_in


def _one_of(name: Name, what: str, names: Container[str]) -> Diagnostic | None:
    if name.text not in names:
        return None
    message = f"`{name.text}` is {what}"
    return error("E025", message, name.span, "choose another name")
