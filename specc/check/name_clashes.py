"""Whether layers can have their names: in a spec, and in an emitted module.

Takes placed layers, gives findings. An emitted module knows `encoder.linear1` as
`encoder_linear1`, and has more names beside: `emitted` lists them. Invariant: no two things of a
network that passes share a name in the module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from specc.check.arguments.match import Report
from specc.check.arguments.reserved_names import used_by_module
from specc.check.layer_names import Placed
from specc.model.model import Feature, Node
from specc.syntax.diagnostics import error
from specc.syntax.source import Span

_NOTE = "emitted modules have `<layer>_weight`, `d_<layer>` and the like for each layer"


def emitted(plain: str, parameters: Iterable[str] = ()) -> Iterator[str]:
    """Give every name that an emitted module may have for a layer or a feature.

    `_ones` carries a row of ones, `_t` is transposed, `d_` is the gradient.
    """
    for prefix in ("", "d_"):
        yield from (f"{prefix}{plain}{form}" for form in ("", "_t", "_ones", "_ones_t"))
    for parameter in (*parameters, "matrix"):
        names = (f"{plain}_{parameter}", f"{plain}_{parameter}_t")
        yield from (*names, f"d_{plain}_{parameter}")


def claim_names(
    layers: Sequence[Placed],
    nodes: Sequence[Node] | None,
    features: Mapping[str, Feature],
    report: Report,
) -> None:
    """Report layers that share a name, with each other or with the input or the target."""
    owners = _of_features(features, report)
    places: dict[str, Span] = {}
    parameters = {node.name: (*node.parameters, *node.kept) for node in nodes or ()}
    for placed in layers:
        plain = placed.name.replace(".", "_")
        names = list(emitted(plain, parameters.get(placed.name, ())))
        shared = next((name for name in names if name in owners), None)
        name = placed.element.name
        place = name.span if name is not None else placed.element.span
        rename = "choose another name" if name is not None else "give it a name"
        if placed.name in places:
            _told_twice(placed.name, places[placed.name], place, report)
        elif shared is not None:
            both = f"the layer `{placed.name}` and {owners[shared]}"
            message = f"{both} both need the name `{shared}`"
            report(error("E023", message, place, rename, _NOTE))
        elif "." in placed.name and used_by_module(plain):
            message = f"`{placed.name}` would be `{plain}` in the emitted module, which"
            report(error("E025", f"{message} uses that name itself", place, rename))
        places.setdefault(placed.name, place)
        owners |= dict.fromkeys(names, f"the layer `{placed.name}`")


def _of_features(features: Mapping[str, Feature], report: Report) -> dict[str, str]:
    owners: dict[str, str] = {}
    if "input" in features:
        name = features["input"].name
        owners |= dict.fromkeys(emitted(name), f"the input `{name}`")
    if "target" in features:
        target = features["target"]
        owner = f"the target `{target.name}`"
        same = owners and target.name == features["input"].name  # told already
        if target.name in owners and not same:
            both = f"{owner} and {owners[target.name]} both need the name"
            report(error("E023", f"{both} `{target.name}`", target.span, "", _NOTE))
        owners[target.name] = owner
    return owners


def _told_twice(name: str, first: Span, place: Span, report: Report) -> None:
    label, note = f"the first one is on line {first.line}", ""
    if first == place:
        label = "the block is used twice: name its calls"
        note = "a named call, `a = mlp(3)`, gives `a.` to names inside"
    report(error("E023", f"two layers are called `{name}`", place, label, note))
