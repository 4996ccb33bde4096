"""What a run leaves on disk, and under which names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lenrek.errors import OptionError
from lenrek.models.model_file import MODEL_FILE
from lenrek.models.tensor_file import write_bytes_atomically
from lenrek.training.checkpoint import CHECKPOINT_FILE


class RunFolder:
    """A folder with `model.safetensors` (the best weights), `checkpoint.safetensors` (to resume from), `config.json`,
    `metrics.jsonl` (one line per epoch), `evaluation.json` and `report.html`. Each is written beside and renamed."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.model = self.path / MODEL_FILE
        self.checkpoint = self.path / CHECKPOINT_FILE
        self.config = self.path / "config.json"
        self.metrics = self.path / "metrics.jsonl"
        self.evaluation = self.path / "evaluation.json"
        self.report = self.path / "report.html"

    def made(self) -> RunFolder:
        """This folder, made where it was missing: before an epoch is spent on what could then not be saved.

        Half-written files that a killed run left beside the whole ones go.

        Raises:
            OptionError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for half_written in self.path.glob(".*.tmp"):
                half_written.unlink()
        except OSError as error:
            raise OptionError(f"train: the folder {self.path} cannot be made: {error.strerror}.") from error
        return self

    def remove_if_empty(self) -> None:
        """Leave no trace of a run that ended before its first epoch did."""
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def write_json(self, path: Path, value: Any) -> None:
        write_bytes_atomically(path, (json.dumps(value, indent=1) + "\n").encode())

    def write_metrics(self, history: list[dict[str, Any]]) -> None:
        write_bytes_atomically(self.metrics, "".join(json.dumps(row) + "\n" for row in history).encode())


def wanted_run_folder(out: str | Path | None, resume: bool) -> RunFolder | None:
    """The folder that the user asked for, if any, after making sure that no run in it would be lost.

    With `resume`, an `out` that is missing or empty is fine: the run starts there.

    Raises:
        OptionError: `out` holds a run and `resume` was not asked for, or is a file; `resume` without `out`.
    """
    if out is None:
        if resume:
            raise OptionError("train: resume needs to know which run.\n  Hint: pass --out with the run's folder.")
        return None
    folder = RunFolder(out)
    if folder.path.exists() and not folder.path.is_dir():
        raise OptionError(f"train: {folder.path} is a file, but a run is a folder.")
    if (folder.checkpoint.exists() or folder.model.exists()) and not resume:
        raise OptionError(
            f"train: {folder.path} already holds a run, which would be lost.\n"
            "  Hint: add --resume to continue it, or name another folder with --out."
        )
    return folder


def free_run_folder(name: str) -> RunFolder:
    """The first free one of `runs/NAME`, `runs/NAME-2`, …, made at once, so that of two runs each gets its own."""
    runs = RunFolder("runs").made()
    number = 1
    while True:
        folder = RunFolder(runs.path / (name if number == 1 else f"{name}-{number}"))
        try:
            folder.path.mkdir()
            return folder
        except FileExistsError:
            number += 1
