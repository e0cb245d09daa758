"""Emitted modules in float64 against torch.nn and autograd: values, gradients, updates, rates."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from specc.library import VOCABULARY
from specc.model.model import Model
from specc.verify.reference.network import (
    ACTIVATIONS,
    Reference,
    distance,
    parameters,
    samples,
)
from tests.cases.modules import checked, compiled, example, load, module_of_spec
from tests.cases.networks import CASES, SPECS, STATES, WIDE

BATCHES = (1, 2, 7, 32)
BOUND = 1e-10


pytestmark = pytest.mark.usefixtures("one_thread")


def prepared(text: str, target: str = "torch") -> tuple[Any, Reference, Model]:
    """Give the emitted model and the reference, both with the same drawn parameters."""
    model = checked(text)
    state = parameters(model)
    net = module_of_spec(text, target=target).Model(dtype=torch.float64)
    net.load_state_dict(state)
    reference = Reference(model)
    reference.load(state)
    return net, reference, model


def errors(
    net: Any, reference: Reference, model: Model, batch: int
) -> dict[str, float]:
    """How far values and gradients of one batch are from the reference's."""
    x, y = samples(model, batch)
    truth = reference.truth(x, y)
    loss, gradients = net.loss_and_gradients(x, y, input_gradient=True)
    scale = max(1e-3, abs(truth.loss))
    predictions = {"forward": net.forward(x), "predict": net.predict(x)}
    return {
        "gradients": distance(gradients, truth.gradients),
        "loss": abs(loss - truth.loss) / scale,
        "loss alone": abs(net.loss(x, y) - truth.loss) / scale,
        "evaluate": abs(net.evaluate(x, y)["loss"] - truth.loss) / scale,
        **{
            name: distance({"": found}, {"": truth.prediction})
            for name, found in predictions.items()
        },
    }


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_autograd(
    name: str, batch: int, target: str
) -> None:
    """Prediction, loss, every parameter's gradient and the input's agree to 1e-10."""
    net, reference, model = prepared(CASES[name], target)
    found = errors(net, reference, model, batch)
    assert {what: e for what, e in found.items() if not e <= BOUND} == {}


@pytest.mark.parametrize("batch", BATCHES[1:])  # torch normalizes no batch of one
@pytest.mark.parametrize("name", STATES)
def test_training_has_gradients_of_its_own(name: str, batch: int, target: str) -> None:
    """Batch statistics and the masks of the next update; asking for them moves nothing."""
    net, reference, model = prepared(CASES[name], target)
    before = net.state_dict()
    x, y = samples(model, batch)
    reference.draw(net.seed, 0, batch)
    truth = reference.truth(x, y, training=True)
    asked = {"training": True} if model_trains_apart(model) else {}
    for _ in range(2):
        loss, gradients = net.loss_and_gradients(x, y, input_gradient=True, **asked)
        assert distance(gradients, truth.gradients) <= BOUND
        scale = max(1e-3, abs(truth.loss))
        assert abs(loss - truth.loss) <= BOUND * scale
        assert abs(net.loss(x, y, **asked) - truth.loss) <= BOUND * scale
    after = net.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def model_trains_apart(model: Model) -> bool:
    """Tell whether training has another network than prediction."""
    words = {node.use.entry.name for node in model.nodes if node.layer.dropped}
    return bool(words) or any(n.use.entry.name == "batch_norm" for n in model.nodes)


@pytest.mark.parametrize("name", STATES)
def test_steps_draw_and_track_as_torch_does(name: str, target: str) -> None:
    """Thirty steps of sgd: every mask, every statistic, every parameter."""
    text = CASES[name].replace("adam(lr=0.01)", "sgd(lr=0.02)")
    net, reference, model = prepared(text, target)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.02)
    reference.train()
    for update in range(30):
        x, y = samples(model, 2 + update % 5, seed=update)
        reference.draw(net.seed, update, len(x))
        optimizer.zero_grad()
        loss = reference.loss(x, y)
        loss.backward()
        optimizer.step()
        found = float(net.train_step(x, y, 0.02))
        assert abs(found - float(loss.detach())) <= 1e-11 * max(1.0, abs(found)), update
    expected = reference.named | reference.buffers_by_name
    apart = {
        k: float((net.state_dict()[k] - v).abs().max()) for k, v in expected.items()
    }
    assert {key: d for key, d in apart.items() if not d <= 1e-11} == {}


@pytest.mark.parametrize("name", CASES)
def test_batches_in_turn_do_not_disturb_each_other(name: str, target: str) -> None:
    """A batch gives the same after batches of other sizes, which share no buffer with it."""
    net, reference, model = prepared(CASES[name], target)
    for batch in (*BATCHES, *reversed(BATCHES)):
        found = errors(net, reference, model, batch)
        assert max(found.values()) <= BOUND, (batch, found)


@pytest.mark.parametrize("name", CASES)
def test_the_module_form_has_the_same_gradients(name: str) -> None:
    """`as_module` under torch's own loss and backward agrees to 1e-10, in both modes."""
    for training in (False, True):
        check_module_form(name, training)


def check_module_form(name: str, training: bool) -> None:
    net, reference, model = prepared(CASES[name])
    x, y = samples(model, 7)
    reference.draw(net.seed, 0, 7)
    truth = reference.truth(x, y, training)
    module = net.as_module().train(training)
    x.requires_grad_()
    prediction = module(x)
    reference.of_predictions(prediction, y).backward()
    found = {name: p.grad for name, p in module.named_parameters()}
    found[model.input.name] = x.grad
    assert distance(found, truth.gradients) <= BOUND
    assert distance({"": prediction.detach()}, {"": truth.prediction}) <= BOUND
    moved = dict(module.named_buffers())
    for key, buffer in reference.buffers_by_name.items():
        torch.testing.assert_close(moved[key], buffer, rtol=1e-12, atol=1e-12)
        assert torch.equal(net.buffers[key], moved[key])


def test_gradients_alone_leave_the_parameters(target: str) -> None:
    """`loss_and_gradients` changes no parameter and gives copies."""
    net, _, model = prepared(SPECS["relu"], target)
    before = net.flat_parameters.clone()
    _, first = net.loss_and_gradients(*samples(model, 7, seed=1))
    kept = {name: g.clone() for name, g in first.items()}
    net.loss_and_gradients(*samples(model, 7, seed=2))
    assert torch.equal(net.flat_parameters, before)
    assert all(torch.equal(first[name], kept[name]) for name in kept)


@pytest.mark.parametrize("name", WIDE)
def test_wide_specs_keep_samples_as_rows(name: str) -> None:
    """The cases meant for the other layout do use it."""
    assert "Samples are columns." not in compiled(CASES[name])
    assert "Samples are columns." in compiled(CASES["relu"])


def test_a_wide_spec_uses_the_kernels_for_large_products() -> None:
    """A dense layer with its activation and a dense product are in what is tested here."""
    text = compiled(CASES["wide"])
    called = [line for line in text.splitlines() if "= dense(" in line]
    assert any('"tanh")' in line for line in called)
    assert any("tanh" not in line for line in called)


def test_every_activation_and_loss_is_among_the_cases() -> None:
    """A new word of the language fails here until a case, and the reference, has it."""
    models = [checked(text) for text in CASES.values()]
    entries = {node.use.entry for model in models for node in model.nodes}
    words = {entry.name for entry in entries if not entry.defined}
    losses = {model.loss.use.entry.name for model in models}
    known = VOCABULARY["activation"].keys() | VOCABULARY["layer"].keys()
    assert known == words
    assert VOCABULARY["loss"].keys() == losses
    assert VOCABULARY["activation"].keys() == ACTIVATIONS.keys()


FAULTS_IN_TORCH = {
    "relu passes all": ("s.relu2, 0, grad_input", "s.relu2, -1, grad_input"),
    "slope of another layer": ("s.relu2, 0, grad_input", "s.relu1, 0, grad_input"),
    "mean over samples lost": ("new_full((), 2 / batch)", "new_full((), 2.0)"),
    "factor 2 lost": ("new_full((), 2 / batch)", "new_full((), 1 / batch)"),
    "sign of the residual": ("torch.sub(tanh1, label", "torch.sub(label, tanh1"),
    "tanh left out": (
        "tanh_backward(d_tanh1, tanh1,",
        "tanh_backward(d_tanh1, 0 * tanh1,",
    ),
    "input of another layer": ("s.relu3_ones_t, out=", "s.relu2_ones_t, out="),
    "weight of another layer": ("(p.linear3_weight_t, s", "(p.linear2_weight_t, s"),
    "weight not transposed": (
        "mm(p.linear3_weight_t, s",
        "mm(p.linear3_weight_t.t(), s",
    ),
    "loss not a mean": (".square().mean()", ".square().sum()"),
    "input gradient twice": (
        "return torch.mm(p.linear1_weight_t",
        "return 2 * torch.mm(p.linear1_weight_t",
    ),
    "activation left out": ("out=s.relu3).relu_()", "out=s.relu3)"),
}
FAULTS_IN_NUMPY = {
    "relu passes all": ("d_relu2 * (s.relu2 > 0)", "d_relu2 * (s.relu2 > -1)"),
    "slope of another layer": ("d_relu2 * (s.relu2", "d_relu2 * (s.relu1"),
    "mean over samples lost": ("(2 / tanh1.size)", "2.0"),
    "factor 2 lost": ("(2 / tanh1.size)", "(1 / tanh1.size)"),
    "sign of the residual": ("residual = tanh1 - label", "residual = label - tanh1"),
    "tanh left out": ("(1 - tanh1**2)", "(1 - 0 * tanh1)"),
    "input of another layer": ("d_linear4.T @ s.relu3", "d_linear4.T @ s.relu2"),
    "weight of another layer": (
        "d_linear3 @ p.linear3_weight",
        "d_linear3 @ p.linear2_weight",
    ),
    "weight not transposed": (
        "d_linear3 @ p.linear3_weight",
        "d_linear3 @ p.linear3_weight.T",
    ),
    "loss not a mean": ("np.mean((tanh1", "np.sum((tanh1"),
    "input gradient twice": ("= s.d_linear1 @ p", "= 2 * s.d_linear1 @ p"),
    "activation left out": ("np.maximum(linear3, 0)", "linear3"),
}
FAULTS = {
    **{("torch", name): fault for name, fault in FAULTS_IN_TORCH.items()},
    **{("numpy", name): fault for name, fault in FAULTS_IN_NUMPY.items()},
}


@pytest.mark.parametrize(("target", "fault"), FAULTS)
def test_a_planted_fault_in_the_emitted_text_is_found(target: str, fault: str) -> None:
    """The bound of these tests is crossed by a single wrong line."""
    right, wrong = FAULTS[target, fault]
    text = compiled(example("disk"), target=target)
    assert text.count(right) == 1
    net, reference, model = prepared(example("disk"), target)
    broken = load(text.replace(right, wrong), target).Model(dtype=torch.float64)
    broken.load_state_dict(net.state_dict())
    assert max(errors(net, reference, model, 7).values()) <= BOUND
    assert max(errors(broken, reference, model, 7).values()) > 1e-3
