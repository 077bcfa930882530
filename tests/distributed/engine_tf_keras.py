"""Processes that strategies of TensorFlow's join, and a model of tf_keras."""

import json
import os

import tensorflow as tf
import tf_keras as keras
from models import layers
from training import BATCHES


def configure(cluster, kind, index):
    """Tells TensorFlow which process this is.

    Args:
        cluster: Dict from the kind of a process to a list of ports.
        kind: String, of which kind this one is.
        index: Integer, its number among these.
    """
    cluster = {
        kind: [f"127.0.0.1:{port}" for port in ports]
        for kind, ports in cluster.items()
    }
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": cluster, "task": {"type": kind, "index": index}}
    )


def model(strategy):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        return keras.Sequential([keras.Input((6,)), *layers(keras)])


def multi_worker(rank, count, ports):
    configure({"worker": ports}, "worker", rank)
    return model(tf.distribute.MultiWorkerMirroredStrategy())


def parameter_server(rank, count, ports, servers=1, partitioner=None):
    """The first process coordinates, the next ones keep the variables, and the
    others compute."""
    kinds = ["chief"] + ["ps"] * servers + ["worker"] * (count - 1 - servers)
    cluster = {
        kind: [port for port, one in zip(ports, kinds) if one == kind]
        for kind in dict.fromkeys(kinds)
    }
    kind = kinds[rank]
    configure(cluster, kind, rank - kinds.index(kind))
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if rank > 0:
        STARTED.append(
            tf.distribute.Server(
                resolver.cluster_spec(),
                job_name=kind,
                task_index=resolver.task_id,
                protocol="grpc",
            )
        )
        return None
    strategy = tf.distribute.experimental.ParameterServerStrategy(
        resolver, variable_partitioner=partitioner
    )
    return model(strategy)


def sharded(rank, count, ports):
    # Kernels are divided. The states of random generators must not be.
    halves = tf.distribute.experimental.partitioners.MinSizePartitioner(64, 2)
    return parameter_server(rank, count, ports, 2, halves)


# What a process that does not train runs.
STARTED = []
STRATEGIES = {
    "MultiWorkerMirroredStrategy": multi_worker,
    "ParameterServerStrategy": parameter_server,
    "ParameterServerStrategy with shards": sharded,
}
# TensorFlow gives each worker its rows.
SAME_ROWS = tuple(STRATEGIES)


def compile(model):
    with model.distribute_strategy.scope():
        model.compile("adam", "mse", metrics=["mae"])


def adapted(model, data):
    """The arguments of `fit()` that a function gives for the data."""
    found = data()
    coordinates = isinstance(
        model.distribute_strategy,
        tf.distribute.experimental.ParameterServerStrategy,
    )
    if not coordinates:
        return found
    found["steps_per_epoch"] = BATCHES
    if "y" not in found:
        # The workers make it.
        found["x"] = keras.utils.experimental.DatasetCreator(
            lambda context: data()["x"].repeat()
        )
    return found


def parts(variable):
    """What this process holds of a variable, by name."""
    values = getattr(variable, "values", (variable,))
    return {str(i): one.numpy() for i, one in enumerate(values)}


def others():
    return [
        keras.callbacks.ReduceLROnPlateau("loss", patience=1),
        keras.callbacks.EarlyStopping("loss", patience=9),
    ]


def leave():
    """TensorFlow needs nothing."""
