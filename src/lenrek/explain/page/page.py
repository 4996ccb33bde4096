"""The page itself: every sample with its prediction and its sections, then what is said of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenrek.data.shown import shown
from lenrek.drawing.page import fill_page
from lenrek.explain.page.question import Question, Sample, Section
from lenrek.explain.page.sections import OF_NETWORK, OF_SAMPLES
from lenrek.models.tensor_file import write_bytes_atomically

MOST_BARS = 5


@dataclass(frozen=True)
class Explained:
    """All answers to one question.

    Attributes:
        samples: each with its sections.
        network: sections about the network alone.
    """

    question: Question
    samples: list[tuple[Sample, list[Section]]]
    network: list[Section]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the pictures."""
        classes = self.question.contract.classes
        return {
            "samples": [
                {
                    "file": sample.name,
                    "label": classes[sample.posterior.argmax()],
                    "target": classes[sample.target],
                    "posterior": dict(top_classes(sample, classes)),
                    **{section.key: section.data for section in sections},
                }
                for sample, sections in self.samples
            ],
            **{section.key: section.data for section in self.network},
        }


def explain_samples(question: Question, samples: Sequence[Sample]) -> Explained:
    """Every section's answer."""
    told = [(sample, [found for one in OF_SAMPLES if (found := one(question, sample))]) for sample in samples]
    return Explained(question, told, [found for one in OF_NETWORK if (found := one(question))])


def write_explanation(path: str | Path, explained: Explained, title: str) -> None:
    """One HTML file that needs nothing else.

    Raises:
        CheckpointError: the file cannot be written; what it held is kept.
    """
    classes = explained.question.contract.classes
    page = fill_page(
        Path(__file__).with_suffix(".html"),
        {"shown": shown},
        title=title,
        samples=[(sample, top_classes(sample, classes), sections) for sample, sections in explained.samples],
        classes=classes,
        network=explained.network,
    )
    write_bytes_atomically(path, page.encode("utf-8", "backslashreplace"))


def top_classes(sample: Sample, classes: Sequence[str]) -> list[tuple[str, float]]:
    """The most probable classes, and the one that is asked about."""
    order = (-sample.posterior).argsort(kind="stable")[:MOST_BARS].tolist()
    order += [] if sample.target in order else [sample.target]
    return [(classes[index], float(sample.posterior[index])) for index in order]
