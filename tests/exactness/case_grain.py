"""Data of Grain's, the loader that Keras recommends.

Its datasets draw an element's random numbers from a generator that is set anew
for every element, in threads or processes that read ahead of training.
"""

from case_data import BATCH
from case_data import N
from case_data import arrays
from grain_elements import noisy


def elements():
    return list(zip(*arrays()))


def mapped(repeat=False):
    import grain

    dataset = grain.MapDataset.source(elements()).seed(3).shuffle()
    if repeat:
        dataset = dataset.repeat()
    return dataset.random_map(noisy).batch(BATCH)


def iterated(ahead=0):
    """Read by threads, and mapped once more by the thread that trains, or by
    one that is ahead of it."""
    import grain

    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=5)
    dataset = grain.MapDataset.source(elements()).seed(3).shuffle()
    dataset = dataset.random_map(noisy).to_iter_dataset(options)
    dataset = dataset.random_map(noisy).batch(BATCH)
    if ahead:
        dataset = grain.experimental.ThreadPrefetchIterDataset(
            dataset, prefetch_buffer_size=ahead
        )
    return dataset


def in_processes():
    """Endless: to start workers anew in every epoch takes seconds."""
    import grain

    dataset = mapped(repeat=True).to_iter_dataset()
    return dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=1))


def in_generator():
    """A generator of the script's that draws from a dataset of Grain's, whose
    threads are there before training begins."""
    iterator = iter(mapped(repeat=True))

    def batches():
        yield from iterator

    return batches()


def loaded(workers=0):
    import grain

    class Noise(grain.transforms.RandomMap):
        def random_map(self, element, rng):
            return noisy(element, rng)

    return grain.DataLoader(
        data_source=elements(),
        sampler=grain.samplers.IndexSampler(
            N,
            shuffle=True,
            seed=3,
            num_epochs=None if workers else 1,
            shard_options=grain.sharding.NoSharding(),
        ),
        operations=[Noise(), grain.transforms.Batch(BATCH)],
        worker_count=workers,
    )


GRAIN = {
    "grain-map": lambda: {"x": mapped()},
    "grain-map-repeated": lambda: {
        "x": mapped(repeat=True),
        "steps_per_epoch": 7,
    },
    "grain-iter": lambda: {"x": iterated()},
    "grain-iter-ahead": lambda: {"x": iterated(ahead=3)},
    "grain-iter-processes": lambda: {
        "x": in_processes(),
        "steps_per_epoch": 7,
    },
    "grain-in-generator": lambda: {"x": in_generator(), "steps_per_epoch": 7},
    "grain-loader": lambda: {"x": loaded()},
    "grain-loader-processes": lambda: {
        "x": loaded(workers=1),
        "steps_per_epoch": 7,
    },
    "grain-validation-grain": lambda: {
        "x": mapped(),
        "validation_data": iterated(),
    },
}
