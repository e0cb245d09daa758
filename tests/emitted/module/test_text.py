"""The text of emitted modules: tools for Python find no fault with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases.modules import (
    CACHE,
    EXAMPLES,
    TARGETS,
    compiled,
    example,
)

# The text.


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, target: str) -> list[str]:
    """Write every example's module to disk."""
    folder = tmp_path_factory.mktemp("emitted")
    for name, text in TEXTS.items():
        (folder / f"{name}.py").write_text(compiled(text, target=target))
    return [str(folder / f"{name}.py") for name in TEXTS]


ODD = {
    "odd_wide": """
model odd_wide
input x: real[2, 2]
target y: real[2, 1]
layers { linear(150, weight=orthogonal) relu linear(130, bias=none) tanh linear(1) }
loss binary_cross_entropy
optimizer sgd(lr=0.1, momentum=0.5)
schedule step_decay(factor=1/3, every=1)
metric accuracy(threshold=0.3)
""",
    "odd_small": """
model odd_small
input image: real[2, 2, 2, 2]
target y: real[2, 2, 2, 1]
layers {
  linear(3, weight=orthogonal(gain=2))
  repeat(9) { linear(2, weight=he_normal(truncated=true), bias=normal) softmax }
  linear(1, weight=torch_default, bias=torch_default)
  sigmoid
}
loss mse(half=true)
optimizer sgd(lr=0.1, momentum=0.5, nesterov=true, weight_decay=0.1)
schedule exponential_decay(gamma=1.1)
early_stopping(monitor=train_loss, start=2, restore_best=false)
train(epochs=5, shuffle=false, drop_last=true, batch_size=3)
""",
}
"""Words that no example uses."""
TEXTS = {name: example(name) for name in EXAMPLES} | ODD


TOOLS = {
    "ruff": ["check", "--isolated", "--quiet", "--select", "F,B,I,E7,E9,D402"],
    "black": ["--check", "--quiet", "--diff", "--config", os.devnull],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_text_is_clean(tool: str, files: list[str]) -> None:
    """As its user would look at it, with the rules for docstrings of this project too."""
    command = [sys.executable, "-m", tool, *TOOLS[tool], *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_right(tmp_path: Path) -> None:
    """As `mypy --strict` has it."""
    for target in TARGETS:
        for name, text in TEXTS.items():
            module = compiled(text, target=target)
            (tmp_path / f"{name}_{target}.py").write_text(module)
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unreachable"]
    command += ["--config-file", os.devnull, "--cache-dir", str(CACHE / "mypy")]
    command += map(str, sorted(tmp_path.glob("*.py")))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_line_is_longer_than_black_has_them(files: list[str]) -> None:
    lines = [line for file in files for line in Path(file).read_text().splitlines()]
    assert [line for line in lines if len(line) > 88] == []
