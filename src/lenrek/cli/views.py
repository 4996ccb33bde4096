"""Test-time augmentation on the command line: its options, and what it gained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lenrek.cli.console import table

if TYPE_CHECKING:
    from lenrek.training.evaluation import Evaluation
    from lenrek.training.test_time import Gain

TTA = "Average posteriors over so many views of each sample, itself included."
TTA_POLICY = "What views do, as for train --augment. Default: what training did to every class."
TTA_BELOW = "Only where the confidence is below this, between 0 and 1."


def show_gain(gain: Gain, result: Evaluation) -> None:
    """The figures without views beside those with them."""
    from lenrek.data.shown import counted

    plain = gain.without
    rows = [
        [name, f"{100 * before:.2f} %", f"{100 * after:.2f} %", f"{100 * (after - before):+.2f}"]
        for name, before, after in (
            ("accuracy", plain.accuracy, result.accuracy),
            ("balanced accuracy", plain.balanced_accuracy, result.balanced_accuracy),
            ("calibration error", plain.calibration_error, result.calibration_error),
        )
    ]
    rows.append(["loss", f"{plain.loss:.4f}", f"{result.loss:.4f}", f"{result.loss - plain.loss:+.4f}"])
    table(["views", "without", "with", "difference"], rows, numeric=(1, 2, 3))
    print(f"{counted(gain.newly_right, 'sample')} newly right, {gain.newly_wrong:,} newly wrong.")
