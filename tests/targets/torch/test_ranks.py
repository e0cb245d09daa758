"""`as_module` under DistributedDataParallel, in two processes of gloo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from tests.cases.modules import compiled, example

RANK = """
import json, sys, warnings
import torch, net
from torch.nn.parallel import DistributedDataParallel

torch.set_num_threads(1)
rank, place = int(sys.argv[1]), sys.argv[2]
if rank >= 0:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{place}", rank=rank, world_size=2
    )
module = net.Model(dtype=torch.float64).as_module()
x = torch.rand(8, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    first = module(x)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    whole = DistributedDataParallel(module) if rank >= 0 else module
    for _ in range(2):
        whole(x).square().mean().backward()
found = {
    "first": first.flatten().tolist(),
    "gradients": [p.grad.sum().item() for p in module.parameters()],
    "warnings": [str(each.message) for each in caught],
}
print(json.dumps(found))
if rank >= 0:
    torch.distributed.destroy_process_group()
"""


def test_ranks_draw_other_masks_and_are_warned_of_batch_norm(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(compiled(example("breast_cancer")))
    (tmp_path / "rank.py").write_text(RANK)
    alone, first, second = found(tmp_path, (-1, 0, 1))
    assert first["first"] == alone["first"] and not alone["warnings"]
    pairs = torch.tensor([first["first"], second["first"]])
    assert not torch.allclose(*pairs)
    assert first["gradients"] == second["gradients"] != alone["gradients"]
    for each in (first, second):
        assert "each rank normalizes by its own batch" in each["warnings"][0]


def found(folder: Path, ranks: tuple[int, ...]) -> list[dict[str, Any]]:
    """Run the processes at the same time; return what each printed."""
    started = [
        subprocess.Popen(
            [sys.executable, "rank.py", str(rank), str(folder / "store")],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in ranks
    ]
    texts = [process.communicate(timeout=120)[0] for process in started]
    return [json.loads(text.splitlines()[-1]) for text in texts]
