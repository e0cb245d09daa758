"""One Model, several threads: reading is safe, training refuses a second thread by name."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from tests.cases.models import DOUBLE, PLAIN, model_of
from tests.cases.modules import module_of_example, module_of_spec
from tests.cases.samples import samples

THREADS, CALLS = 4, 40
READS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "forward": lambda model, x, y: model.forward(x),
    "predict": lambda model, x, y: model.predict(x),
    "evaluate": lambda model, x, y: list(model.evaluate(x, y).values()),
    "loss": lambda model, x, y: model.loss(x, y),
}


@contextmanager
def quick_switches() -> Iterator[None]:
    """Let threads take turns every few microseconds, as on a busy server."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def together(work: Callable[[int], None]) -> list[BaseException]:
    """Do the same in several threads at once; return what they raised."""
    raised: list[BaseException] = []
    ready = threading.Barrier(THREADS)

    def run(number: int) -> None:
        ready.wait()
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    with quick_switches():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return raised


@pytest.mark.parametrize("name", ["disk", "digits", "mixer", "wine"])
def test_threads_that_read_do_not_meet(name: str, target: str) -> None:
    module = module_of_example(name, target=target)
    model = model_of(name, torch.float32, target=target)
    batches = [samples(module, n, torch.float32) for n in (1, 7, 40, 2000)]
    expected = {
        read: [call(model, *batch) for batch in batches] for read, call in READS.items()
    }
    wrong: list[str] = []

    def work(number: int) -> None:
        for i in range(CALLS):
            at = (number + i) % len(batches)
            for read, call in READS.items():
                found, right = call(model, *batches[at]), expected[read][at]
                same = torch.equal(*map(torch.as_tensor, (found, right)))
                wrong.extend([read] * (not same))

    assert together(work) == []
    assert wrong == []


SLOW = f"{PLAIN} train(epochs=100000, batch_size=2)"


@contextmanager
def trained_elsewhere(model: Any, batch: Any) -> Iterator[None]:
    """Train a model in another thread, and stop there afterwards."""
    begun, enough = threading.Event(), threading.Event()

    def callback(epoch: int, logs: Any) -> bool:
        begun.set()
        return enough.wait(60)

    thread = threading.Thread(
        target=lambda: model.fit(*batch, *batch, callback=callback)
    )
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        enough.set()
        thread.join()


TRAINS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "fit": lambda model, x, y: model.fit(x, y, x, y, epochs=1),
    "train_step": lambda model, x, y: model.train_step(x, y, 0.1),
    "loss_and_gradients": lambda model, x, y: model.loss_and_gradients(x, y),
    "load_state_dict": lambda model, x, y: model.load_state_dict(model.state_dict()),
}


@pytest.mark.parametrize("call", TRAINS)
def test_a_second_thread_that_trains_is_refused(call: str, target: str) -> None:
    module = module_of_spec(SLOW, target=target)
    model, batch = module.Model(dtype=DOUBLE), samples(module, 6)
    with trained_elsewhere(model, batch):
        with pytest.raises(RuntimeError, match=f"^{call}: another thread is training"):
            TRAINS[call](model, *batch)
        model.predict(batch[0])
        model.evaluate(*batch)
    TRAINS[call](model, *batch)


def test_a_callback_may_use_its_model(target: str) -> None:
    module = module_of_spec(SLOW, target=target)
    model, batch = module.Model(dtype=DOUBLE), samples(module, 6)
    done: list[int] = []

    def callback(epoch: int, logs: Any) -> bool:
        for call in (*READS.values(), TRAINS["loss_and_gradients"]):
            call(model, *batch)
        done.append(epoch)
        return epoch == 1

    model.fit(*batch, *batch, callback=callback)
    assert done == [0, 1]


def test_a_callback_cannot_fit_its_model(target: str) -> None:
    """The two would share the state of the optimizer."""
    module = module_of_spec(SLOW, target=target)
    model, batch = module.Model(dtype=DOUBLE), samples(module, 6)
    with pytest.raises(RuntimeError, match=r"^fit: a callback of fit cannot call it$"):
        model.fit(
            *batch, *batch, callback=lambda epoch, logs: TRAINS["fit"](model, *batch)
        )
    TRAINS["fit"](model, *batch)


def test_what_failed_lets_others_train(target: str) -> None:
    module = module_of_spec(SLOW, target=target)
    model, (x, y) = module.Model(dtype=DOUBLE), samples(module, 6)

    def callback(epoch: int, logs: Any) -> bool:
        raise LookupError

    with pytest.raises(LookupError):
        model.fit(x, y, x, y, callback=callback)
    raised = together(lambda number: model.predict(x))
    thread_error: list[BaseException] = []

    def elsewhere() -> None:
        try:
            model.train_step(x, y, 0.1)
        except RuntimeError as error:
            thread_error.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert raised == thread_error == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_reads_and_trains_while_its_parent_does(target: str) -> None:
    module = module_of_spec(SLOW, target=target)
    model, (x, y) = module.Model(dtype=DOUBLE), samples(module, 6)
    x1, y1 = x[:1], y[:1]
    expected = model.predict(x1)
    context = multiprocessing.get_context("fork")

    def child(answers: Any) -> None:
        found = model.predict(x1).tolist()
        model.train_step(x1, y1, 0.1)
        model.fit(x, y, x, y, epochs=1)
        answers.put(found)

    with held_elsewhere(model):
        answers = context.SimpleQueue()
        process = context.Process(target=child, args=(answers,))
        process.start()
        process.join(60)
    assert process.exitcode == 0
    assert torch.equal(torch.tensor(answers.get(), dtype=DOUBLE), expected)


def in_a_fork(work: Callable[[], None]) -> int | None:
    """Return how a forked child ends: None if it hangs, else its exit status."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(30)
    ended = process.exitcode
    process.kill()
    process.join()
    return ended


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_refuses_a_second_thread_too(target: str) -> None:
    """A server forks its workers after it has made the model."""
    module = module_of_spec(SLOW, target=target)
    model, batch = module.Model(dtype=DOUBLE), samples(module, 6)

    def child() -> None:
        with trained_elsewhere(model, batch):
            for call, train in TRAINS.items():
                with pytest.raises(RuntimeError, match=f"^{call}: another thread"):
                    train(model, *batch)
        TRAINS["fit"](model, *batch)

    assert in_a_fork(child) == 0
    with held_elsewhere(model):
        assert in_a_fork(child) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_does_not_wait_for_threads_of_torch() -> None:
    module = module_of_example("digits_wide")
    model, (x, y) = module.Model(), samples(module, 2000, torch.float32)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = model.predict(x)

        def child() -> None:
            assert torch.allclose(model.predict(x), expected)
            model.train_step(x, y, 0.1)

        assert in_a_fork(child) == 0
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_reads_while_threads_of_its_parent_do(target: str) -> None:
    module = module_of_example("wine", target=target)
    model = model_of("wine", torch.float32, target=target)
    x, y = samples(module, 40, torch.float32)
    expected, enough = model.predict(x), threading.Event()

    def read() -> None:
        while not enough.is_set():
            model.predict(x)

    def child() -> None:
        assert torch.equal(model.predict(x), expected)
        model.train_step(x, y, 0.1)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert [in_a_fork(child) for _ in range(3)] == [0, 0, 0]
    finally:
        enough.set()
        for thread in threads:
            thread.join()


@contextmanager
def held_elsewhere(model: Any) -> Iterator[None]:
    """Let another thread hold the turn to train, without moving the parameters."""
    begun, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with getattr(model, "_inner", model)._alone("fit"):
            begun.set()
            enough.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        enough.set()
        thread.join()


def test_a_model_that_threads_used_can_be_copied_and_pickled(target: str) -> None:
    module = module_of_spec(SLOW, target=target)
    model, (x, _) = module.Model(dtype=DOUBLE), samples(module, 6)
    expected = model.predict(x)
    assert together(lambda number: model.predict(x)) == []
    inner = getattr(model, "_inner", model)
    for made in (
        copy.copy(inner),
        copy.deepcopy(inner),
        pickle.loads(pickle.dumps(inner)),
    ):
        given = x if target == "torch" else x.numpy()
        assert torch.equal(torch.as_tensor(made.predict(given)), expected)
