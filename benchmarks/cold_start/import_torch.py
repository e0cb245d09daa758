"""What every program with torch pays before it does anything."""

import json
import time

start = time.perf_counter()
import torch  # noqa: E402, F401

print(json.dumps({"training_s": time.perf_counter() - start}))
