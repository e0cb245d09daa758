"""scikit-learn's MLPRegressor, an epoch a call, for it has neither our schedule nor our
validation samples; its last layer is linear, for it has no tanh there.
"""

import numpy as np
from experiment import EPOCHS, WIDTHS, Clock, Data, EarlyStopping, rate
from sklearn.neural_network import MLPRegressor

data = Data()
model = MLPRegressor(
    hidden_layer_sizes=WIDTHS[1:-1],
    solver="sgd",
    alpha=0.0,
    batch_size=1,
    learning_rate_init=2 * rate(0),  # its squared error is halved
    momentum=0.0,
    nesterovs_momentum=False,
    random_state=0,
)
random = np.random.default_rng(0)
y = data.y[:, 0]

clock = Clock()
stopping = EarlyStopping()
for epoch in range(EPOCHS):
    if epoch:
        model._optimizer.learning_rate = 2 * rate(epoch)
        order = random.permutation(len(y))
        model.partial_fit(data.x[order], y[order])
    else:  # makes the parameters, one sample; the start that all have in common
        model.partial_fit(data.x[:1], y[:1])
        for i, (weight, bias) in enumerate(data.layers):
            model.coefs_[i][...], model.intercepts_[i][...] = weight.T, bias
        model.partial_fit(data.x, y)
    difference = model.predict(data.x_val) - data.y_val[:, 0]
    parameters = [*model.coefs_, *model.intercepts_]
    if stopping.stops(float((difference**2).mean()), parameters):
        break
for value, best in zip(parameters, stopping.best or parameters, strict=True):
    value[...] = best
clock.report(epoch + 1, lambda: model.predict(data.x_val), data)
