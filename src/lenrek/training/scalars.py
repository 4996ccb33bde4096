"""Metrics as TensorBoard events, for those who ask for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lenrek.errors import OptionError


class ScalarLog:
    """Writes the numbers of each epoch into `folder`; with None it writes nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._writer: Any = None
        if folder is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise OptionError(
                    "train: --tensorboard needs the tensorboard package.\n  Hint: pip install 'lenrek[tensorboard]'."
                ) from error
            self._writer = SummaryWriter(str(folder / "tensorboard"))

    def __enter__(self) -> ScalarLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, row: dict[str, Any]) -> None:
        """One epoch's row of metrics, the epoch's number as the step."""
        if self._writer is not None:
            for name, value in row.items():
                if isinstance(value, float):
                    part, _, figure = name.partition("_")  # "train/loss" and "validation/loss" are drawn side by side
                    tag = f"{part}/{figure}" if part in ("train", "validation") else name
                    self._writer.add_scalar(tag, value, row["epoch"])
            self._writer.flush()
