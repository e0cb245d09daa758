"""Keras's `fit` with its own callbacks for the rate and for stopping."""

import keras
from experiment import EPOCHS, WIDTHS, Clock, Data, rate
from keras.callbacks import EarlyStopping, LearningRateScheduler

data = Data()
model = keras.Sequential(
    [
        keras.Input((WIDTHS[0],)),
        *(keras.layers.Dense(width, activation="relu") for width in WIDTHS[1:-1]),
        keras.layers.Dense(WIDTHS[-1], activation="tanh"),
    ]
)
model.set_weights([part for weight, bias in data.layers for part in (weight.T, bias)])
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", steps_per_execution=8)

clock = Clock()
history = model.fit(
    data.x,
    data.y,
    batch_size=1,
    epochs=EPOCHS,
    validation_data=(data.x_val, data.y_val),
    validation_batch_size=len(data.x_val),
    callbacks=[
        LearningRateScheduler(rate),
        EarlyStopping(monitor="val_loss", patience=20, restore_best_weights=True),
    ],
    verbose=0,
)
clock.report(len(history.epoch), lambda: model.predict(data.x_val, verbose=0), data)
