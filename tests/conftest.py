"""Options and fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.cases.goldens import ROOT, Goldens
from tests.cases.modules import TARGETS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files instead of comparing them",
    )


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
