"""Compiles a spec and imports the module, for one run of a benchmark.

Takes the text of a spec and a target, gives the module. What is written goes away with the process.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def emitted(text: str, stem: str, target: str) -> Any:
    """Compile a spec called `stem` for a target and import the module."""
    from specc.compiler import Request, compile_source
    from specc.syntax.source import Source

    result = compile_source(
        Source(f"{stem}.spec", text), Request(target=target, stem=stem)
    )
    assert result.text is not None, result.diagnostics
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    for ending, part in {".py": result.text, **result.beside}.items():
        (folder / f"{stem}{ending}").write_text(part)
    name = f"{stem}_{target}_{folder.name}"
    found = importlib.util.spec_from_file_location(name, folder / f"{stem}.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


@functools.cache
def _folder() -> str:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
