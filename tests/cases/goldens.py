"""Golden files: text under version control that a test makes anew and compares.

`pytest --update-golden` writes them instead, and removes those that nothing makes.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Goldens:
    """Compares files with the text that they should hold, or writes them."""

    def __init__(self, update: bool, test: str) -> None:
        self.update = update
        self.test = test

    def compare(self, path: Path, text: str) -> None:
        """Fail with a diff unless the file at `path` holds `text`, to the byte."""
        on_disk = path.read_bytes().decode() if path.exists() else ""
        if on_disk == text and path.exists():
            return
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            return
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        changes = difflib.unified_diff(
            on_disk.splitlines(),
            text.splitlines(),
            f"{name} (committed)",
            f"{name} (made now)",
            lineterm="",
        )
        pytest.fail("\n".join([*changes, "", self.advice]), pytrace=False)

    def compare_folder(
        self, folder: Path, pattern: str, texts: Mapping[str, str]
    ) -> None:
        """Compare every file of `texts` in `folder`; none else may match `pattern`."""
        for name, text in texts.items():
            self.compare(folder / name, text)
        stale = sorted(p for p in folder.glob(pattern) if p.name not in texts)
        if self.update:
            for path in stale:
                path.unlink()
        elif stale:
            names = ", ".join(path.name for path in stale)
            pytest.fail(f"nothing makes {names} any more\n{self.advice}", pytrace=False)

    @property
    def advice(self) -> str:
        """The command that brings the golden files of this test up to date."""
        return f"to accept: python -m pytest {self.test} --update-golden"
