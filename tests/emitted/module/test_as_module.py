"""`as_module`: the emitted network as a torch.nn.Module."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
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
    (d_x,) = torch.autograd.grad(module(given).sum(), given, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        d_x.square().sum().backward()


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


def test_transforms_of_torch_func_are_right_or_refused_by_name() -> None:
    """First derivatives work, row by row of a Jacobian too; other transforms do not."""
    model, module, x = as_module()
    before, given = state(model), model.state_dict()
    module(x).sum().backward()
    found = torch.func.grad(lambda p: functional_call(module, p, (x,)).sum())(given)
    for name, p in module.named_parameters():
        torch.testing.assert_close(found[name], p.grad)
    by_x = torch.func.grad(lambda x: module(x).sum())
    rows = torch.func.jacrev(module)(x)
    torch.testing.assert_close(by_x(x), rows.sum((0, 1)))
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.func.grad(lambda x: by_x(x).sum())(x)
    with pytest.raises(RuntimeError, match="torch.func.vmap: call the module with a"):
        torch.func.vmap(lambda sample: module(sample[None]))(x)
    assert torch.equal(state(model), before)


# Copies, files and compilers.


def copied(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module)


def pickled(module: nn.Module) -> nn.Module:
    made: nn.Module = pickle.loads(pickle.dumps(module))
    return made


def saved(module: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    made: nn.Module = torch.load(file, weights_only=False)
    return made


@pytest.mark.parametrize("again", [copied, pickled, saved])
@pytest.mark.parametrize("name", ["disk", "breast_cancer"])
def test_a_module_is_copied_and_pickled(
    name: str, again: Callable[[nn.Module], nn.Module]
) -> None:
    """It goes on as the first would, with a Model of its own that has its numbers."""
    module = model_of(name).as_module()
    x, _ = samples(module_of_example(name), 6)
    module(x).sum().backward()
    with torch.no_grad():
        module.linear1.weight.mul_(1.1)
    other = again(module)
    before = other.state_dict()["linear1.weight"].clone()
    for each in (module, other):
        each.zero_grad()
        each(x).square().sum().backward()
    for mine, theirs in zip(other.parameters(), module.parameters(), strict=True):
        assert torch.equal(mine, theirs) and mine.data_ptr() != theirs.data_ptr()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=0)
    for mine, theirs in zip(other.buffers(), module.buffers(), strict=True):
        assert torch.equal(mine, theirs)
    for key, p in other._own.parameters.items():
        assert p.data_ptr() == other.get_parameter(key).data_ptr()
    with torch.no_grad():
        module.linear1.weight.zero_()
    assert torch.equal(other.state_dict()["linear1.weight"], before)


@pytest.mark.parametrize("name", ["disk", "breast_cancer", "mixer"])
def test_a_module_is_exported_for_any_batch(name: str) -> None:
    module = model_of(name).as_module().eval()
    x, _ = samples(module_of_example(name), 9)
    sizes = ({0: torch.export.Dim("batch", min=1)},)
    program = torch.export.export(module, (x[:4],), dynamic_shapes=sizes)
    for count in (1, 4, 9):
        found = program.module()(x[:count])
        torch.testing.assert_close(found, module(x[:count]).detach())
        assert not found.requires_grad


def test_a_module_that_would_be_exported_in_training_is_refused() -> None:
    module = model_of("breast_cancer").as_module()
    x, _ = samples(module_of_example("breast_cancer"), 4)
    with pytest.raises(RuntimeError, match="in evaluation, not in training"):
        torch.export.export(module, (x,))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["disk", "breast_cancer"])
def test_a_module_is_compiled_as_one_graph(name: str, training: bool) -> None:
    """Gradients, masks of each step and running statistics are those without a compiler."""
    module = model_of(name).as_module().train(training)
    x, _ = samples(module_of_example(name), 6)
    other = copy.deepcopy(module)
    torch._dynamo.reset()
    compiled = torch.compile(other, fullgraph=True, backend="aot_eager")
    for _ in range(2):
        found = []
        for network, call in ((module, module), (other, compiled)):
            network.zero_grad()
            given = x.clone().requires_grad_()
            prediction = call(given)
            prediction.square().sum().backward()
            gradients = [p.grad for p in network.parameters()]
            found.append([prediction, given.grad, *gradients, *network.buffers()])
        for mine, theirs in zip(*found, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-14)
    if training and name == "breast_cancer":
        assert int(module._own._updates) == int(other._own._updates) == 2


# What frameworks do to modules: right, or refused by name.


def test_a_cast_module_computes_in_its_new_dtype() -> None:
    model, module, x = as_module()
    before = state(model)
    single = copy.deepcopy(module).float()
    found = single(x.float())
    found.sum().backward()
    assert found.dtype == single.linear1.weight.grad.dtype == torch.float32
    torch.testing.assert_close(found.double(), module(x), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="found torch.float16"):
        module.half()
    assert torch.equal(state(model), before) and module(x).dtype == DOUBLE


def test_a_reparametrized_weight_is_read_and_one_kept_by_hooks_refused() -> None:
    _, module, x = as_module()
    expected = module(x).detach()
    nn.utils.parametrizations.weight_norm(module.linear1)
    torch.testing.assert_close(module(x).detach(), expected)
    with torch.no_grad():
        module.linear1.parametrizations.weight.original0.mul_(2)
    assert not torch.allclose(module(x), expected)
    module(x).sum().backward()
    assert module.linear1.parametrizations.weight.original0.grad is not None
    with (
        pytest.warns(UserWarning, match="a hook of one layer never runs"),
        pytest.raises(RuntimeError, match="use torch.nn.utils.parametrize"),
    ):
        module.linear2.register_forward_pre_hook(print)
        nn.utils.weight_norm(module.linear2)


def test_a_parameter_of_another_shape_is_refused() -> None:
    _, module, x = as_module()
    module.linear1.weight = nn.Parameter(torch.ones(1, 1, dtype=DOUBLE))
    with pytest.raises(ValueError, match=r"linear1.weight: expected shape \(25, 2\)"):
        module(x)


def test_what_changes_nothing_is_warned_of() -> None:
    _, module, x = as_module()
    for register in (
        module.linear1.register_forward_hook,
        module.linear1.register_full_backward_hook,
    ):
        with pytest.warns(UserWarning, match="a hook of one layer never runs"):
            register(print)
    with (
        pytest.warns(UserWarning, match="autocast changes nothing"),
        torch.autocast("cpu", torch.bfloat16),
    ):
        assert module(x).dtype == DOUBLE
