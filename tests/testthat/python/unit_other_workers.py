"""other_workers.py: one checkpoint of those that other workers have saved."""

import json
import types
import unittest

import numpy as np

from kerasbackup.checkpoint import other_workers
from kerasbackup.store import errors


def file_of(worker, count, name="kernel", **metadata):
    """What one of so many workers saves: a column of a matrix, what all have,
    and a random state of its own."""
    shard = {"variable": name, "shape": [2, count], "begin": [0, worker]}
    place = f"{name}@0:2,{worker}:{worker + 1}"
    described = {"batches": 5, "batch_size": 8, "rows in the last batch": 0}
    position = {"rng": worker, "checksums": [[1, 2]], "source_kind": described}
    texts = {
        "training": json.dumps({"number": 0, "data": "a", "values": "b"}),
        "position": json.dumps(position),
        "validation": json.dumps({"begun": worker, "checksums": [[1, 2]]}),
        "shards": json.dumps({place: shard}),
        "schema": "1",
        **metadata,
    }
    column = np.array([worker, -worker], "float32").view(np.uint8)
    return types.SimpleNamespace(
        path=f"worker {worker}",
        metadata=texts,
        tensors={
            "whole": ("F32", [1], np.array([worker], "float32").view(np.uint8)),
            place: ("F32", [2, 1], column),
        },
        workers=None,
    )


def load(files, index):
    store = types.SimpleNamespace(load_other=lambda number: files[number - 1])
    return other_workers.OtherWorkers(store, len(files), index).load()


class Load(unittest.TestCase):
    def test_all_pieces_are_there_and_the_rest_is_of_one(self):
        for index, own in ((0, 0), (1, 1), (2, 0), (5, 1)):
            found = load([file_of(i, 2) for i in range(2)], index)
            self.assertEqual(
                sorted(found.tensors),
                ["kernel@0:2,0:1", "kernel@0:2,1:2", "whole"],
            )
            values = {
                name: one[2].view("float32").tolist()
                for name, one in found.tensors.items()
            }
            self.assertEqual(values["whole"], [own])
            self.assertEqual(values["kernel@0:2,1:2"], [1, -1])
            self.assertEqual(
                json.loads(found.metadata["shards"]).keys(),
                found.tensors.keys() - {"whole"},
            )
            self.assertEqual(json.loads(found.metadata["position"])["rng"], own)
            self.assertEqual(found.workers, 2)

    def test_a_piece_that_several_have_is_that_of_the_own_worker(self):
        files = [file_of(i, 2) for i in range(2)]
        name = "kernel@0:2,0:1"
        files[1].tensors[name] = "F32", [2, 1], np.zeros(8, np.uint8)
        shards = json.loads(files[1].metadata["shards"])
        shards |= json.loads(files[0].metadata["shards"])
        files[1].metadata["shards"] = json.dumps(shards)
        own = files[1].tensors[name]
        self.assertIs(load(files, 1).tensors[name], own)

    def test_what_it_says_of_rows_is_left_out(self):
        found = load([file_of(i, 3) for i in range(3)], 1)
        texts = {
            name: json.loads(found.metadata[name])
            for name in ("training", "position", "validation")
        }
        self.assertEqual(
            texts,
            {
                "training": {"number": 0, "data": None, "values": None},
                "position": {
                    "rng": 1,
                    "checksums": [],
                    "source_kind": {"batches": 5},
                },
                "validation": {"begun": 1, "checksums": []},
            },
        )

    def test_a_process_that_trained_alone_has_no_pieces(self):
        one = file_of(0, 1)
        del one.metadata["shards"]
        found = load([one], 1)
        self.assertNotIn("shards", found.metadata)
        self.assertEqual(found.workers, 1)

    def test_damage_names_the_file(self):
        of_all = [
            {"shards": "{"},
            {"shards": json.dumps({"no": {}})},
            {"schema": "x"},
        ]
        # Of the other workers only the pieces are used.
        for at, all_damage in ((0, [*of_all, {"position": "[]"}]), (1, of_all)):
            for damage in all_damage:
                files = [file_of(0, 2), file_of(1, 2)]
                files[at].metadata.update(damage)
                with self.subTest(damage, at=at):
                    with self.assertRaises(errors.CorruptError) as caught:
                        load(files, 0)
                    self.assertIn(f"worker {at}", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
