"""Emitted modules for the tests: a spec's text or an example in, an imported module out.

A text is compiled once a run; its module lies in a folder of its own and is imported by path, so
that nothing of specc's import path is behind it.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from specc.compiler import Request, analyse, compile_source
from specc.model.model import Model
from specc.syntax.diagnostics import Diagnostic
from specc.syntax.source import Source
from specc.verify.compare.adapter import Adapted

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE_FILES = {path.stem: path for path in sorted(ROOT.glob("examples/*.spec"))}
EXAMPLES = list(EXAMPLE_FILES)
"""The names of the examples, without `.spec`."""
STATEFUL = ("breast_cancer", "mixer", "progression", "wine")
STATELESS = [name for name in EXAMPLES if name not in STATEFUL]
"""Those without state of layers, which `test_state` is about."""
TARGETS = ("torch", "numpy", "c")
"""The targets that have to agree."""
_HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
CACHE = _HOME / "specc-tests"
"""What outlives a run and a clone: C libraries, by their source and compiler, and mypy's cache."""
os.environ.setdefault("SPECC_CACHE", str(CACHE / "libraries"))
IN_PYTHON = ("torch", "numpy")
"""Those whose formulas are functions of the Python module, so that a test can change one."""


@functools.cache
def example(name: str) -> str:
    """Give the text of an example."""
    return EXAMPLE_FILES[name].read_text(encoding="utf-8")


def source(text: str) -> Source:
    """Name a text: an example's is its file, another `net.spec` beside the examples' data."""
    known = {example(name): str(path) for name, path in EXAMPLE_FILES.items()}
    return Source(known.get(text, str(ROOT / "examples" / "net.spec")), text)


def checked(text: str, overrides: Mapping[str, str] | None = None) -> Model:
    """Give the Model of a spec, which has to be free of errors."""
    return _checked(text, tuple(sorted((overrides or {}).items())))


def compiled(
    text: str, overrides: Mapping[str, str] | None = None, target: str = "torch"
) -> str:
    """Give the text of the module that a spec makes."""
    return _compiled(text, tuple(sorted((overrides or {}).items())), target)


def load(text_of_module: str, target: str = "torch") -> Any:
    """Import the text of a module, once for each text; all of them take tensors."""
    module = raw_module(text_of_module)
    return module if target == "torch" else Adapted(module)


def module_of_spec(
    text: str, overrides: Mapping[str, str] | None = None, target: str = "torch"
) -> Any:
    """Compile a spec and import what it makes."""
    return load(compiled(text, overrides, target), target)


def changed(text: str, target: str, *changes: tuple[str, str, str]) -> Any:
    """Import the module of a spec with changes in its files: (ending, old, new)."""
    right = compiled(text, target=target)
    files = {".py": right, **_beside.get(right, {})}
    for ending, old, new in changes:
        assert old in files[ending], f"{old!r} is not in it"
        files[ending] = files[ending].replace(old, new)
    module = files.pop(".py")
    if files:
        module += f"# {hashlib.sha256(repr(files).encode()).hexdigest()}\n"
    _beside[module] = files
    return load(module, target)


def write_module(folder: Path, text: str, target: str) -> Path:
    """Write the files of a spec's module to a folder; give the path of the Python one."""
    right = compiled(text, target=target)
    for ending, content in {".py": right, **_beside.get(right, {})}.items():
        (folder / f"net{ending}").write_text(content, encoding="utf-8")
    return folder / "net.py"


def module_of_example(
    name: str, overrides: Mapping[str, str] | None = None, target: str = "torch"
) -> Any:
    """Compile an example, `disk`, and import what it makes."""
    return module_of_spec(example(name), overrides, target)


@functools.cache
def _checked(text: str, overrides: tuple[tuple[str, str], ...]) -> Model:
    model, found = analyse(source(text), dict(overrides))
    assert model is not None, told(found)
    return model


@functools.cache
def _compiled(text: str, overrides: tuple[tuple[str, str], ...], target: str) -> str:
    result = compile_source(
        source(text), Request(overrides=dict(overrides), target=target, stem="net")
    )
    assert result.text is not None, told(result.diagnostics)
    _beside[result.text] = result.beside
    return result.text


_beside: dict[str, Mapping[str, str]] = {}
"""The text of a module -> the files beside it: ending -> text."""


@functools.cache
def raw_module(text: str) -> ModuleType:
    """Import the text of a module, which takes what its target takes."""
    name = "emitted_" + hashlib.sha256(text.encode()).hexdigest()[:16]
    path = _folder() / name / f"{name}.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    for ending, beside in _beside.get(text, {}).items():
        path.with_name(f"net{ending}").write_text(beside, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    build_quickly(module)
    return module


def build_quickly(module: ModuleType) -> None:
    """Let a C module build its source in half the time, for the same arithmetic.

    The examples are built as users build them.
    """
    if hasattr(module, "FLAGS") and module.SPEC not in map(example, EXAMPLES):
        quick = {"-O3": "-O0"}
        module.FLAGS = tuple(quick.get(flag, flag) for flag in module.FLAGS)


@functools.cache
def _folder() -> Path:
    """Make a folder called `tests`: hypothesis collects no constants of what lies in such a one.

    It would take ten seconds, and what a seed gives would depend on what was imported before.
    """
    folder = Path(tempfile.mkdtemp(prefix="specc_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tests").mkdir()
    return folder / "tests"


def told(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Give what the compiler complains about, a line each."""
    return "\n".join(f"{found.code}: {found.message}" for found in diagnostics)
