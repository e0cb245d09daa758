"""The loop of torch's tutorials; with `compile` as argv[2], that of torch.compile's."""

import sys

import torch
from experiment import EPOCHS, Clock, Data, EarlyStopping, rate
from torch import nn

torch.set_num_threads(1)
data = Data()
x, y, x_val, y_val = (
    torch.from_numpy(array) for array in (data.x, data.y, data.x_val, data.y_val)
)
parts: list[nn.Module] = []
for weight, bias in data.layers:
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.load_state_dict(
        {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
    )
    parts += [linear, nn.ReLU()]
model = nn.Sequential(*parts[:-1], nn.Tanh())
loss_of = nn.MSELoss()
compiles = "compile" in sys.argv[2:]
# Compiled, the rate is a tensor, so that a new one needs no new program.
lr = torch.tensor(rate(0)) if compiles else rate(0)
optimizer = torch.optim.SGD(model.parameters(), lr=lr)


def forward(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Give the loss."""
    return loss_of(model(x), y)


update = optimizer.step
if compiles:
    forward = torch.compile(forward, fullgraph=True, dynamic=False)
    update = torch.compile(optimizer.step)

clock = Clock()
stopping = EarlyStopping()
for epoch in range(EPOCHS):
    (group,) = optimizer.param_groups
    if compiles:
        group["lr"].fill_(rate(epoch))
    else:
        group["lr"] = rate(epoch)
    order = torch.randperm(len(x))
    total = 0.0
    for one_x, one_y in zip(x[order].split(1), y[order].split(1)):  # noqa: B905
        optimizer.zero_grad()
        loss = forward(one_x, one_y)
        loss.backward()
        update()
        total += loss.item()
    with torch.no_grad():
        val_loss = loss_of(model(x_val), y_val).item()
    if stopping.stops(val_loss, model.state_dict()):
        break
model.load_state_dict(stopping.best)
clock.report(epoch + 1, lambda: model(x_val).detach(), data)
