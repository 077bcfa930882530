"""`keras.distribution`: how a model is spread over devices."""

from typing import Any

import keras


def spreads_over_processes(model: Any) -> bool:
    """Whether the distribution that is set has devices of several processes, so
    that these train a model together."""
    found = keras.distribution.distribution()
    mesh = None if found is None else found.device_mesh
    if mesh is None:
        return False
    processes = {
        device.process_index for device in mesh.backend_mesh.devices.flat
    }
    return len(processes) > 1
