"""Owns: one part of the benchmark, from start to end: one size, or what
damage each system notices. Called by `state.R` and `bits.R`."""

import contextlib
import csv
import random
import sys

import measure
import numpy as np
import systems


def run(size, tensors, rounds, folder, functions, out, with_model=False):
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
    arrays = _arrays(each, tensors)
    ours = [
        systems.Ours(f"{folder}/a", arrays, functions["background"]),
        systems.OursWaiting(f"{folder}/b", arrays, functions["waiting"]),
    ]
    all_systems = [systems.Limits(f"{folder}/c", arrays), *ours]
    all_systems += _peers(f"{folder}/d", arrays)
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
    with _adder(out, size, tensors) as add:
        measure.measure(all_systems, rounds, add)
    for system in ours:
        system.close()


def run_large(size, tensors, rounds, folder, functions, out):
    """As `run()`, of a state that is in memory twice at most: the limits and
    ours only, all saves before the first restore."""
    arrays = _arrays(size // (4 * tensors), tensors)
    limits = systems.Limits(f"{folder}/c", arrays, most=10**9)
    ours = systems.Ours(f"{folder}/a", arrays, functions["background"])
    waiting = systems.OursWaiting(f"{folder}/b", arrays, functions["waiting"])
    limits.operations = [limits.copy, limits.save]
    ours.operations = [ours.save]
    with _adder(out, size, tensors) as add:
        measure.measure([limits, ours, waiting], rounds, add)
        # The copy goes with the store, what was saved with the list.
        ours.close()
        arrays.clear()
        limits.operations = [limits.restore, limits.restore_cold]
        waiting.name = ours.name
        waiting.operations = [waiting.restore, waiting.restore_cold]
        measure.measure([limits, waiting], rounds, add)
    waiting.close()


def save_model(size, tensors, folder, functions):
    """Saves a model, for `restore_model()`."""
    import models

    model = models.model_of(size, tensors)
    ours = models.OursOnModel(f"{folder}/e", model, functions)
    for system in (ours, models.KerasBackup(f"{folder}/f", model)):
        system.save(lambda *_: 0)
    ours.close()


def restore_model(which, number, size, tensors, folder, functions, out):
    """Restores it, once, and appends to a CSV file. To be called by a process
    that has done nothing else: what memory costs that was never touched is
    part of it.

    Args:
        which: `"ours"` or `"keras"`.
        number: The round.
        size, tensors, folder, out: As of `run()`.
        functions: Dict of R's functions.
    """
    import models

    model = models.model_of(size, tensors)
    if which == "keras":
        system = models.KerasBackup(f"{folder}/f", model)
    else:
        system = models.OursOnModel(f"{folder}/e", model, functions, False)
    meter = measure.Meter()
    system.restore(meter.lap)
    with _adder(out, size, tensors) as add:
        for name, *figures in meter.laps:
            add(system.name, number, f"{name}, new process", *figures)
    if which == "ours":
        system.close()


def flip_bits(size, tries, folder, functions, out):
    """Flips one random bit of what each system saved, and loads it.

    Args:
        size: Bytes of the state.
        tries: How many bits, one at a time.
        folder: Where to save.
        functions: Dict of R's functions.
        out: The CSV file to write.
    """
    import models

    arrays = _arrays(size // 40, 10)
    model = models.model_of(size, 10)
    all_systems = [
        systems.OursWaiting(f"{folder}/a", arrays, functions),
        models.KerasBackup(f"{folder}/b", model),
        *_peers(f"{folder}/c", arrays),
    ]
    with open(out, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["system", "tries", "noticed", "loaded", "harmless"])
        for system in all_systems:
            writer.writerow([system.name, tries, *_flip(system, tries)])
    all_systems[0].close()


def _flip(system, tries):
    draw = random.Random(1)
    system.save(lambda *_: 0)
    files = system.files()
    sizes = [path.stat().st_size for path in files]
    whole = system.load()
    noticed = loaded = 0
    for _ in range(tries):
        (path,) = draw.choices(files, sizes)
        content = path.read_bytes()
        bit = draw.randrange(8 * len(content))
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            now = system.load()
        except Exception:  # whatever it is: it is no silence
            noticed += 1
        else:
            loaded += not all(map(np.array_equal, now, whole))
        path.write_bytes(content)
    return noticed, loaded, tries - noticed - loaded


@contextlib.contextmanager
def _adder(out, size, tensors):
    with open(out, "a", newline="") as file:
        writer = csv.writer(file)
        yield lambda *row: writer.writerow([size, tensors, *row])


def _arrays(each, count):
    # What cannot be compressed, as weights cannot.
    draw = np.random.default_rng(1)
    return [draw.standard_normal(each, np.float32) for _ in range(count)]


def _peers(folder, arrays):
    found = []
    for peer in systems.PEERS:
        why = peer.missing()
        if why:
            print(f"{peer.name} does not take part: {why}", file=sys.stderr)
        else:
            found.append(peer(folder, arrays))
    return found
