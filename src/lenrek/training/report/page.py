"""The page itself: what each section shows, handed to the template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lenrek.data.shown import counted, shown
from lenrek.drawing.page import fill_page
from lenrek.drawing.pictures import picture
from lenrek.models.tensor_file import write_bytes_atomically
from lenrek.training.evaluation import ClassScores, Evaluation
from lenrek.training.report.charts import Curve, line_chart
from lenrek.training.report.confusion import MOST_CLASSES_IN_TABLE, confusion_picture, confusion_rows
from lenrek.training.report.filters import filter_caption, filter_pictures
from lenrek.training.report.record import Mistake, RunRecord
from lenrek.training.report.reliability import calibration_sentence, reliability_diagram
from lenrek.training.wording import duration, percent

MOST_POSTERIORS = 3
MOST_NAMES = 20


@dataclass(frozen=True)
class Posterior:
    """One bar under a mistake."""

    name: str
    share: float
    role: str  # "truth", "said" or "other": the bar's colour


@dataclass(frozen=True)
class MistakeCard:
    """A mistake as the page shows it."""

    picture: Markup
    name: str
    truth: str
    said: str
    posteriors: list[Posterior]


def write_report(path: str | Path, record: RunRecord) -> Path:
    """Writes the record as one HTML page that needs nothing else: no script, no style, font or picture from elsewhere.

    Args:
        path: of the page, usually report.html in the run's folder.
    Returns:
        The path.
    Raises:
        CheckpointError: the file cannot be written; what `path` held is kept.
    """
    # a command or folder that is not UTF-8 carries surrogates, which no page can hold: they are written as escapes
    write_bytes_atomically(path, render(record).encode("utf-8", "backslashreplace"))
    return Path(path)


def render(record: RunRecord) -> str:
    """The page as text."""
    split = headline_split(record)
    evaluation = record.evaluations[split] if split else None
    return fill_page(
        Path(__file__).with_name("template.html"),
        {"percent": percent, "duration": duration, "counted": counted, "shown": shown},
        record=record,
        noun=record.data.kind,
        split=split,
        evaluation=evaluation,
        charts=charts(record),
        mistakes=[_card(mistake, record) for mistake in record.mistakes],
        filters=[] if record.filters is None else filter_pictures(record.filters),
        filter_caption="" if record.filters is None else filter_caption(record.filters),
        config=list(flattened(record.config)),
        most_names=MOST_NAMES,
        **(_measured(evaluation) if evaluation else {}),
    )


def headline_split(record: RunRecord) -> str | None:
    """The split that the page is about: the test set if it was evaluated, else the last one that was."""
    return "test" if "test" in record.evaluations else next(reversed(record.evaluations), None)


def charts(record: RunRecord) -> list[tuple[str, Markup]]:
    """Loss, accuracy, learning rate and speed over the epochs, those that were recorded."""
    epochs = [row["epoch"] for row in record.history]
    solved = any("regularisation" in row for row in record.history)
    x_name = "regularisation, from strong to weak" if solved else "epoch"

    def drawn(title: str, written: Callable[[float], str], columns: dict[str, str], **options: Any) -> Markup:
        curves = [Curve(name, [row.get(column) for row in record.history]) for name, column in columns.items()]
        return line_chart(title, epochs, curves, written, x_name=x_name, **options)

    best, speed = record.best_epoch, f"{record.data.kind.capitalize()}s per second"
    losses = {"train": "train_loss", "validation": "validation_loss"}
    mixed = " (mixed)" if record.config.get("mixup") or record.config.get("cutmix") else ""
    accuracies = {f"train{mixed}": "train_accuracy", "validation": "validation_accuracy"}
    if record.config.get("balance", "none") != "none":  # what the epoch was chosen on
        accuracies["validation, balanced"] = "validation_balanced_accuracy"
    every = {
        "Loss": drawn("Loss", "{:.3g}".format, losses, best_epoch=best, may_be_log=True),
        "Accuracy": drawn("Accuracy", _axis_percent, accuracies, best_epoch=best, ceiling=1.0),
        "Learning rate": drawn("Learning rate", "{:.3g}".format, {"rate": "learning_rate"}),
        speed: drawn(speed, "{:,.0f}".format, {"speed": "samples_per_s"}),
    }
    return [(title, chart) for title, chart in every.items() if chart]


def flattened(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names.

    >>> list(flattened({"model": "lenet5", "schedule": {"name": "cosine", "warmup": 2}, "size_px": [28, 28]}))
    [('model', 'lenet5'), ('schedule.name', 'cosine'), ('schedule.warmup', '2'), ('size_px', '28, 28')]
    """
    for name, value in config.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield prefix + name, ", ".join(str(one) for one in value) or "none"
        elif isinstance(value, bool):
            yield prefix + name, "yes" if value else "no"
        else:
            yield prefix + name, "none" if value is None else str(value)


def weakest_first(evaluation: Evaluation) -> list[ClassScores]:
    """Classes by F1, the weakest first; those without samples last."""
    return sorted(evaluation.per_class, key=lambda scores: (scores.support == 0, scores.f1, scores.name))


def _measured(evaluation: Evaluation) -> dict[str, Any]:
    in_table = len(evaluation.classes) <= MOST_CLASSES_IN_TABLE
    return {
        "confusion_rows": confusion_rows(evaluation) if in_table else None,
        "confusion_picture": None if in_table else confusion_picture(evaluation),
        "confused_pairs": evaluation.confused_pairs(),
        "support": {scores.name: scores.support for scores in evaluation.per_class},
        "per_class": weakest_first(evaluation),
        "reliability": reliability_diagram(evaluation.calibration_bins),
        "calibration_sentence": calibration_sentence(evaluation),
    }


def _card(mistake: Mistake, record: RunRecord) -> MistakeCard:
    order = (-mistake.posterior).argsort(kind="stable").tolist()
    said = order[0]
    highest = order[:MOST_POSTERIORS]
    if mistake.label not in highest:
        highest.append(mistake.label)
    roles = {mistake.label: "truth", said: "said"}
    truth_name, said_name = record.classes[mistake.label], record.classes[said]
    return MistakeCard(
        picture=picture(mistake.sample, f"{record.data.kind} of class {truth_name} that was called {said_name}"),
        name=shown(mistake.name),
        truth=truth_name,
        said=said_name,
        posteriors=[
            Posterior(record.classes[index], float(mistake.posterior[index]), roles.get(index, "other"))
            for index in highest
        ],
    )


def _axis_percent(share: float) -> str:
    return f"{100 * share:.3g} %"
