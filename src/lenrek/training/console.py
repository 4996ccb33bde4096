"""The training as one watches it: a live line on a terminal, one line per epoch everywhere, all on stderr."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from lenrek.training.wording import duration, percent


class Progress:
    """Shows a training of `total_epochs`.

    Args:
        epochs_done: before, in the run that is resumed.
        batches_per_epoch: for the bar.
        word: what an epoch is called.
        shown: False shows nothing at all.
        balanced: the balanced accuracy is shown, too.
    """

    def __init__(
        self,
        total_epochs: int,
        batches_per_epoch: int,
        *,
        word: str = "epoch",
        epochs_done: int = 0,
        shown: bool = True,
        balanced: bool = False,
    ) -> None:
        self.total_epochs, self.word, self.balanced = total_epochs, word, balanced
        self.console = Console(stderr=True, quiet=not shown, highlight=False)
        self.bar = Bar(
            TextColumn(f"{word} {{task.description}}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not (shown and self.console.is_terminal),
        )
        self.task = self.bar.add_task(f"{epochs_done + 1}/{total_epochs}", total=batches_per_epoch, figures="")
        self.started = time.perf_counter()
        self.epochs_here = 0

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.stop()

    def batch(self, done: int, loss: float, accuracy: float, samples_per_s: float) -> None:
        """After each batch: how many are done in this epoch, and the means so far."""
        figures = f"loss {loss:.3f}  accuracy {percent(accuracy)}  {samples_per_s:,.0f}/s"
        self.bar.update(self.task, completed=done, figures=figures)

    def epoch(self, row: dict[str, Any]) -> None:
        """After each epoch: its row of metrics."""
        self.epochs_here += 1
        left_s = (time.perf_counter() - self.started) / self.epochs_here * (self.total_epochs - row["epoch"])
        width = len(str(self.total_epochs))
        self.console.print(
            f"{self.word} {row['epoch']:{width}}/{self.total_epochs}"
            f"  train loss {row['train_loss']:.3f} accuracy {percent(row['train_accuracy']):>7}"
            + self._validation(row)
            + (f"  {row['samples_per_s']:,.0f}/s" if "samples_per_s" in row else "")
            + f"  {duration(row['time_s'])}"
            + (f", {duration(left_s)} left" if row["epoch"] < self.total_epochs else "")
            + ("  best" if row["best"] else ""),
            soft_wrap=True,
        )
        if row["epoch"] < self.total_epochs:
            self.bar.reset(self.task, description=f"{row['epoch'] + 1}/{self.total_epochs}")

    def _validation(self, row: dict[str, Any]) -> str:
        if "validation_loss" not in row:
            return ""
        balanced = f" balanced {percent(row['validation_balanced_accuracy']):>7}" if self.balanced else ""
        accuracy = f"accuracy {percent(row['validation_accuracy']):>7}{balanced}"
        return f"  validation loss {row['validation_loss']:.3f} {accuracy}"
