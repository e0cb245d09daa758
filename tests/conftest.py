"""Options and fixtures of all tests."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiers
from tests.cases.goldens import ROOT, Goldens
from tests.cases.modules import CACHE, TARGETS

HERE = Path(__file__).resolve().parent
WEEK = 7 * 24 * 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files instead of comparing them",
    )
    parser.addoption(
        "--tier",
        choices=("quick", "all"),
        default="quick",
        help="all: every combination of a product of dimensions, see tests/tiers.py",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Remove the C libraries of sources that are a week old."""
    if not hasattr(config, "workerinput"):
        for library in (CACHE / "libraries").glob("*.so"):
            with contextlib.suppress(OSError):
                if time.time() - library.stat().st_mtime > WEEK:
                    library.unlink()


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Iterator[Any]:
    """Collect the cases of the tier that the command line asks for."""
    found = yield
    config = collector.config
    whole = config.getoption("--tier") == "all" or config.getoption("--update-golden")
    if whole or any("::" in argument for argument in config.args):
        return found
    if isinstance(found, list) and len(found) > 1:
        test = f"{collector.path.relative_to(HERE).as_posix()}::{found[0].originalname}"
        return tiers.quick(found, test)
    return found


@pytest.fixture
def goldens(request: pytest.FixtureRequest) -> Goldens:
    """Compare or update golden files, as the command line says."""
    file = (
        request.path.relative_to(ROOT)
        if request.path.is_relative_to(ROOT)
        else request.path
    )
    return Goldens(request.config.getoption("--update-golden"), str(file))


@pytest.fixture(params=TARGETS, scope="session")
def target(request: pytest.FixtureRequest) -> str:
    """Give the name of each target in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Nets as small as those of the tests only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
