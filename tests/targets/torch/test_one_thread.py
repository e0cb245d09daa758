"""A small network runs on one thread of torch by itself, and restores the number."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from tests.cases.models import model_of
from tests.cases.modules import module_of_example
from tests.cases.samples import samples


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def used_by_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def test_fit_of_a_small_network_runs_on_one_thread() -> None:
    model, (x, y) = model_of("disk"), samples(module_of_example("disk"), 8)
    seen: list[int] = []

    def callback(epoch: int, logs: dict[str, float]) -> None:
        seen.append(torch.get_num_threads())

    model.fit(x, y, x, y, epochs=2, callback=callback)
    assert seen == [1, 1] and torch.get_num_threads() == used_by_new_thread() == 2
    with pytest.raises(ValueError, match="epochs"):
        model.fit(x, y, x, y, epochs=0)
    assert torch.get_num_threads() == used_by_new_thread() == 2


@pytest.mark.parametrize("call", ["predict", "evaluate"])
def test_prediction_does_too(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, model = module_of_example("disk"), model_of("disk")
    x, y = samples(module, 8)
    seen: list[int] = []
    last = type(model)._last

    def watched(self, *given, **named):  # type: ignore[no-untyped-def]
        seen.append(torch.get_num_threads())
        return last(self, *given, **named)

    monkeypatch.setattr(type(model), "_last", watched)
    getattr(model, call)(*[x, y][: 1 + (call == "evaluate")])
    assert seen == [1] and torch.get_num_threads() == 2


def test_a_large_network_runs_on_all_threads() -> None:
    model, (x, y) = model_of("digits_wide"), samples(
        module_of_example("digits_wide"), 64
    )
    seen: list[int] = []
    model.fit(
        *(x, y, x, y),
        epochs=1,
        callback=lambda epoch, logs: seen.append(torch.get_num_threads()),
    )
    assert seen == [2]


def test_calls_that_overlap_leave_the_number_as_it_was() -> None:
    """Each thread restores its own; none takes the 1 of another for what was there."""
    model, (x, _) = model_of("disk"), samples(module_of_example("disk"), 8)
    found: list[int] = []

    def call() -> None:
        torch.ones(100_000).add_(1)  # the thread has its number now
        for _ in range(200):
            model.predict(x)
        found.append(torch.get_num_threads())

    torch.ones(100_000).add_(1)
    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    model.predict(x)
    assert torch.get_num_threads() == used_by_new_thread() == 2
    assert len(found) == 4
