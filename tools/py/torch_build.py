"""Owns: which build of torch pip would take, read from pip's own report.

Argument: the JSON file written by `pip install --dry-run --no-deps --report`.
Prints "cpu", or the CUDA packages that would come with the build.
"""

import json
import sys

from pip._vendor.packaging.requirements import Requirement

GPU = ("nvidia-", "cuda-", "triton", "pytorch-triton")


def main():
    with open(sys.argv[1], encoding="utf-8") as report:
        (item,) = json.load(report)["install"]
    gpu = []
    for text in item["metadata"].get("requires_dist", []):
        needed = Requirement(text)
        applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if applies and needed.name.lower().startswith(GPU):
            gpu.append(needed.name)
    print(" ".join(gpu) or "cpu")


main()
