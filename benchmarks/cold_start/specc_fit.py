"""The emitted module `disk.py` of the folder in argv[2]: `fit` is the experiment."""

import sys

from experiment import Clock, Data

sys.path.insert(0, sys.argv[2])
import disk  # noqa: E402

data = Data()
arrays = [data.x, data.y, data.x_val, data.y_val]
if hasattr(disk, "torch"):
    arrays = [disk.torch.from_numpy(array) for array in arrays]
    disk.torch.set_num_threads(1)
model = disk.Model(seed=0)

clock = Clock()
history = model.fit(*arrays)
clock.report(len(history), lambda: model.predict(arrays[2]), data)
