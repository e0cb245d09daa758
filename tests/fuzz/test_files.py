"""Data files that nobody meant; `python -m tests.fuzz.files 5000 0` tries more of them."""

from __future__ import annotations

import pytest

from tests.fuzz.files import trial


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_no_file_is_a_bug(first: int) -> None:
    tried = trial(20, first)
    assert tried.lost == []
    assert sum(tried.ends.values()) == 20
