"""One network out of several: the average of runs that began as one of them.

Runs that go on from the same network stay so close to it that their weights can be averaged, and
what each has learnt and forgotten evens out (model soups, Wortsman et al., 2022). The signs of
binary weights are taken of the averages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from calibration.training.bookkeeping import LOG, read_checkpoint
from calibration.training.student import Shape, Student
from kernels import network_file


def export_average(folders: Sequence[Path], path: Path) -> None:
    """Write the average as a ``.bnn`` file, and the logs of all runs, one after another, beside it.

    Args:
        folders: of the runs; the others began as the first.
        path: of the file.

    Raises:
        ValueError: if a folder holds no run, or one that did not begin as the first.
    """
    runs = [read_checkpoint(folder) for folder in folders]
    first = runs[0]["settings"]
    for folder, run in zip(folders[1:], runs[1:], strict=True):
        began_as = run["settings"]["began_as"]
        if began_as != first or run["settings"]["shape"] != first["shape"]:
            raise ValueError(
                f"the run in {folder} did not begin as the one in {folders[0]}, or not with the"
                " same blocks: their channels mean different things, and cannot be averaged"
            )
    student = Student(Shape(**first["shape"]))
    student.load_state_dict(
        {
            name: sum(run["average"][name] for run in runs) / len(runs)
            if value.is_floating_point()
            else value
            for name, value in runs[0]["average"].items()
        }
    )
    origin = {"recipe": "average", "runs": [run["settings"] for run in runs]}
    network_file.save(path, student.eval().export(path.stem), origin)
    with path.with_suffix(f".{LOG}").open("w") as out:
        for number, folder in enumerate(folders):
            for line in (folder / LOG).read_text().splitlines():
                out.write(json.dumps({"run": number} | json.loads(line)) + "\n")
