"""`as_module`: the emitted network as a torch.nn.Module."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from tests.cases.models import (
    DOUBLE,
    model_of,
    state,
)
from tests.cases.modules import (
    STATELESS,
    example,
    module_of_example,
)
from tests.cases.samples import samples, sequential, takes_classes

# as_module.


@pytest.mark.parametrize("name", STATELESS)
def test_as_module_is_the_network_of_torch(name: str) -> None:
    model, net = model_of(name), sequential(example(name))
    net.load_state_dict(model.state_dict())
    module = model.as_module()
    assert list(module.state_dict()) == list(net.state_dict())
    x, _ = samples(module_of_example(name), 6)
    weights = torch.randn(net(x).shape, dtype=DOUBLE)
    found = []
    for network in (module, net):
        given = x.clone().requires_grad_()
        prediction = network(given)
        (prediction * weights).sum().backward(retain_graph=True)
        first = [given.grad, *(p.grad for p in network.parameters())]
        first = [g.clone() for g in first if g is not None]
        (prediction * weights).sum().backward()  # once more: gradients add up
        twice = [given.grad, *(p.grad for p in network.parameters())]
        found.append([prediction.detach(), *first, *twice])
    assert len(found[0]) == len(found[1]) == 2 * len(list(net.parameters())) + 3
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", STATELESS)
def test_as_module_is_trained_by_torch(name: str) -> None:
    model, net = model_of(name), sequential(example(name))
    net.load_state_dict(model.state_dict())
    module = model.as_module()
    x, y = samples(module_of_example(name), 12)
    for network in (module, net):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
        for _ in range(20):
            optimizer.zero_grad()
            prediction = network(x)
            if takes_classes(module_of_example(name)):
                loss = nn.functional.nll_loss(prediction.log(), y)
            else:
                loss = nn.functional.mse_loss(prediction, y)
            loss.backward()
            optimizer.step()
    for key, p in net.state_dict().items():
        torch.testing.assert_close(model.parameters[key], p, rtol=1e-9, atol=1e-11)


def as_module() -> tuple[Any, nn.Module, Tensor]:
    model = model_of("disk")
    return model, model.as_module(), samples(module_of_example("disk"), 5)[0]


def test_as_module_shares_the_parameters() -> None:
    model, module, x = as_module()
    for name, p in module.named_parameters():
        assert p.data_ptr() == model.parameters[name].data_ptr()
        assert p.requires_grad and not model.parameters[name].requires_grad
    torch.testing.assert_close(module(x).detach(), model.predict(x))
    model.flat_parameters.mul_(0.5)
    torch.testing.assert_close(module(x).detach(), model.predict(x))
    module.load_state_dict(model_of("disk", seed=4).state_dict())
    assert torch.equal(state(model), state(model_of("disk", seed=4)))
    with torch.no_grad():
        assert not module(x).requires_grad


def test_as_module_keeps_forward_passes_apart() -> None:
    model, module, x = as_module()
    first, second = module(x), module(2 * x)
    module(3 * x)
    model.predict(x + 1)
    second.sum().backward()
    first.sum().backward()
    found = {name: p.grad.clone() for name, p in module.named_parameters()}
    module.zero_grad()
    (module(torch.cat([x, 2 * x]))).sum().backward()
    for name, p in module.named_parameters():
        torch.testing.assert_close(found[name], p.grad)


def test_a_step_between_forward_and_backward_is_an_error() -> None:
    _, module, x = as_module()
    prediction = module(x).sum()
    with torch.no_grad():
        next(module.parameters()).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        prediction.backward()


def test_as_module_has_no_second_derivative() -> None:
    _, module, x = as_module()
    given = x.requires_grad_()
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(module(given).sum(), given, create_graph=True)


def test_a_copy_of_the_module_has_its_own_parameters() -> None:
    """As weight averaging makes one: it predicts by its own and changes no other's."""
    model, module, x = as_module()
    before, averaged = state(model), copy.deepcopy(module)
    with torch.no_grad():
        for p in averaged.parameters():
            p.mul_(2)
    net = sequential(example("disk"))
    net.load_state_dict(averaged.state_dict())
    prediction = averaged(x)
    torch.testing.assert_close(prediction, net(x))
    module(x)
    prediction.sum().backward()
    net(x).sum().backward()
    for mine, theirs in zip(averaged.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)
    assert torch.equal(state(model), before)


def test_functional_call_takes_other_parameters() -> None:
    model, module, x = as_module()
    before = state(model)
    net = sequential(example("disk"))
    outer = []
    for network in (module, net):
        given = {
            name: (2 * p).requires_grad_() for name, p in model.state_dict().items()
        }
        prediction = functional_call(network, given, (x,))
        functional_call(network, model.state_dict(), (x,))
        outer.append(
            [prediction, *torch.autograd.grad(prediction.sum(), given.values())]
        )
    for mine, theirs in zip(*outer, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert torch.equal(state(model), before)


def test_transforms_of_torch_func_are_refused_and_change_nothing() -> None:
    """`torch.func.grad` always asks for a graph of the derivative; vmap needs a rule."""
    model, module, x = as_module()
    before, given = state(model), model.state_dict()
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.func.grad(lambda p: functional_call(module, p, (x,)).sum())(given)
    with pytest.raises(RuntimeError, match="vmap"):
        torch.func.vmap(lambda sample: module(sample[None]))(x)
    assert torch.equal(state(model), before)
