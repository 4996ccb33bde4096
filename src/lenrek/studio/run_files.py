"""The runs in a folder, as their files tell them: also of one that is being trained."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from lenrek.data.shown import shown
from lenrek.errors import DataError, OptionError
from lenrek.training.run_folder import RunFolder

MOST_RUNS = 500
MOST_BYTES = 50_000_000  # of a file that is read as a whole
LIVE_S = 600  # a run that wrote nothing for so long was interrupted


@dataclass(frozen=True)
class RunFiles:
    """One run. `name` is how it is called here, relative to the folder of runs.

    `stamp` and `state` are those of now; what the files hold is read once.
    """

    name: str
    folder: RunFolder

    @property
    def stamp(self) -> str:
        """Changes when the run has gone on."""
        told = []
        for path in (self.folder.metrics, self.folder.evaluation, self.folder.model):
            try:
                about = path.stat()
                told.append(f"{about.st_mtime_ns:x}.{about.st_size:x}")
            except OSError:
                told.append("")
        return "-".join(told)

    @property
    def state(self) -> str:
        """ "finished", "training", or "interrupted" where nothing was written for long."""
        if self.folder.evaluation.exists():
            return "finished"
        try:
            return "training" if time.time() - self.folder.metrics.stat().st_mtime < LIVE_S else "interrupted"
        except OSError:
            return "interrupted"

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """A row per epoch.

        Raises:
            DataError: the file is damaged.
        """
        text = _read(self.folder, self.folder.metrics)
        try:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
            if not all(isinstance(row, dict) and isinstance(row["epoch"], int) for row in rows):
                raise ValueError("a line is no row of an epoch")
        except (ValueError, KeyError) as error:
            raise DataError(f"studio: {shown(self.folder.metrics)} cannot be read: {error}.") from error
        return rows

    @cached_property
    def config(self) -> dict[str, Any]:
        """How it was trained, in a model's header from its first epoch on; empty where that is not told."""
        try:
            with safe_open(self.folder.model, framework="pt") as file:
                header = json.loads((file.metadata() or {}).get("lenrek", "{}"))
            found = header.get("training", {}).get("config", {})
            return found if isinstance(found, dict) else {}
        except (OSError, SafetensorError, ValueError, AttributeError):
            return {}

    @cached_property
    def evaluations(self) -> dict[str, Any]:
        """Figures by part, "test" among them; empty before the end."""
        if not self.folder.evaluation.exists():
            return {}
        try:
            found = json.loads(_read(self.folder, self.folder.evaluation))
        except ValueError as error:
            raise DataError(f"studio: {shown(self.folder.evaluation)} cannot be read: {error}.") from error
        return found if isinstance(found, dict) else {}


def find_runs(folder: Path | None) -> dict[str, RunFiles]:
    """The run that `folder` is, or those in it, by their names; the newest first.

    Only these can be asked for, whatever name a page sends.
    """
    if folder is None:
        return {}
    if (folder / "metrics.jsonl").is_file():
        name = shown(folder.resolve().name)
        return {name: RunFiles(name, RunFolder(folder))}
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                metrics = Path(entry.path, "metrics.jsonl")
                if entry.is_dir(follow_symlinks=False) and metrics.is_file():
                    found.append((metrics.stat().st_mtime, entry))
    except OSError as error:
        raise DataError(f"studio: the folder {shown(folder)} cannot be listed: {error.strerror}.") from error
    newest = sorted(found, key=lambda one: -one[0])[:MOST_RUNS]
    return {shown(entry.name): RunFiles(shown(entry.name), RunFolder(entry.path)) for _, entry in newest}


def find_run(folder: Path | None, name: str) -> RunFiles:
    """Raises:
    OptionError: there is none of this name.
    """
    runs = find_runs(folder)
    if name not in runs:
        raise OptionError(f"studio: there is no run {shown(name)!r} here.")
    return runs[name]


def check_inside(folder: RunFolder, path: Path) -> None:
    """Raise `DataError` for a file that is a link to another place: a run is what lies in its folder."""
    if not path.resolve().is_relative_to(folder.path.resolve()):
        raise DataError(f"studio: {shown(path)} leads out of its run.")


def _read(folder: RunFolder, path: Path) -> str:
    check_inside(folder, path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"studio: {shown(path)} has more than {MOST_BYTES:,} bytes.")
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"studio: {shown(path)} cannot be read: {error.strerror}.") from error
