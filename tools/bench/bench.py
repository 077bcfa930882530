"""Owns: one size of the benchmark, from start to end. Called by `state.R`."""

import csv
import sys

import measure
import numpy as np
import systems


def run(size, tensors, rounds, folder, functions, out, with_model):
    """Measures and appends to a CSV file.

    Args:
        size: Bytes of the state.
        tensors: In how many arrays.
        rounds: How many count.
        folder: Where to save.
        functions: Three dicts of R's functions, each with a directory of its
            own: `background`, `waiting`, `model`.
        out: The CSV file.
        with_model: Whether models are compared too.
    """
    each = max(1, size // (4 * tensors))
    arrays = [np.full(each, i, np.float32) for i in range(tensors)]
    ours = [
        systems.Ours(f"{folder}/a", arrays, functions["background"]),
        systems.OursWaiting(f"{folder}/b", arrays, functions["waiting"]),
    ]
    all_systems = [systems.Limits(f"{folder}/c", arrays), *ours]
    for peer in systems.PEERS:
        why = peer.missing()
        if why:
            print(f"{peer.name} does not take part: {why}", file=sys.stderr)
        else:
            all_systems.append(peer(f"{folder}/d", arrays))
    if with_model:
        import models

        model = models.model_of(size, tensors)
        ours.append(
            models.OursOnModel(f"{folder}/e", model, functions["model"])
        )
        all_systems += [
            ours[-1],
            models.KerasBackup(f"{folder}/f", model),
        ]
    with open(out, "a", newline="") as file:
        writer = csv.writer(file)

        def add(*row):
            writer.writerow([size, tensors, *row])

        measure.measure(all_systems, rounds, add)
    for system in ours:
        system.close()
