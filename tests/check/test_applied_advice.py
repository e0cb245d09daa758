"""What an error says to write is applied, again and again: every spec ends by compiling.

No advice may lead back to a spec from which other advice has led away.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from specc.compiler import analyse
from specc.syntax.diagnostics import Diagnostic
from specc.syntax.source import Source

Spec = dict[str, str]

TABLES = {
    "words": "a,b,kind\n" + "1,2,yes\n3,4,no\n" * 10,
    "three": "a,b,kind\n" + "1,2,x\n3,4,y\n5,6,z\n" * 10,
    "digits": "a,b,kind\n" + "1,2,0\n3,4,1\n" * 10,
}
TARGETS = ("real[1]", "real[]", "int[]", "int[1]", "real[3]")
ENDS = ("linear(1) sigmoid", "linear(1)", "linear(2)", "linear(3) softmax")
LOSSES = ("binary_cross_entropy", "mse", "cross_entropy")
METRICS = ("", "metric mae", "metric accuracy", "metric f1")
EDITS = (
    (r"declare the target as `(.*?)`", "target"),
    (r"write `(?:loss )(\w+)`", "loss"),
    (r"end with `(.*?)`", "end"),
    (r"measure `(\w+)`", "metric"),
)
"""What an error says, and the piece of the spec that it is about."""


def text_of(spec: Spec) -> str:
    metric = f"metric {spec['metric']}" if spec["metric"] else ""
    return f"""model net
input x: real[2]
target y: {spec["target"]}
layers {{ linear(4) relu {spec["end"]} }}
loss {spec["loss"]}
optimizer sgd(lr=0.1)
{metric}
data csv("{spec["table"]}.csv", target="kind")
"""


def applied(spec: Spec, finding: Diagnostic) -> Spec:
    """Return a spec with the first alternative that an error names; all of its edits."""
    first = re.split("; |, or ", finding.label)[0]
    changes = {
        piece: found[1] for said, piece in EDITS if (found := re.search(said, first))
    }
    assert changes, f"{finding.code}: {finding.message}: {finding.label!r} of {spec}"
    return {**spec, **changes}


@pytest.mark.parametrize("table", TABLES)
def test_no_advice_leads_back(table: str, tmp_path: Path) -> None:
    for name, text in TABLES.items():
        (tmp_path / f"{name}.csv").write_text(text)
    for target, end, loss, metric in itertools.product(TARGETS, ENDS, LOSSES, METRICS):
        spec = {"target": target, "end": end, "loss": loss, "table": table}
        spec["metric"] = metric.removeprefix("metric ")
        seen: list[Spec] = []
        while True:
            assert spec not in seen, f"in a circle: {[*seen, spec]}"
            seen.append(spec)
            _, found = analyse(Source(str(tmp_path / "net.spec"), text_of(spec)), {})
            errors = [each for each in found if each.severity == "error"]
            if not errors:
                break
            spec = applied(spec, errors[0])


def test_words_for_one_sigmoid_need_one_hint(tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text(TABLES["words"])
    spec = {"target": "real[1]", "end": "linear(1) sigmoid", "table": "words"}
    spec |= {"loss": "binary_cross_entropy", "metric": ""}
    place = str(tmp_path / "net.spec")
    _, found = analyse(Source(place, text_of(spec)), {})
    once = applied(spec, found[0])
    assert analyse(Source(place, text_of(once)), {})[1] == ()
    assert (once["target"], once["end"]) == ("int[]", "linear(2)")
