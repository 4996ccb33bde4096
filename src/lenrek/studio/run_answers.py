"""What a run's network said of each sample that it was tested on: the pictures behind a confusion matrix."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lenrek.data.shown import shown
from lenrek.errors import OptionError
from lenrek.studio.calls import stoppable

if TYPE_CHECKING:
    from lenrek.data.source import Source
    from lenrek.models.contract import InputContract
    from lenrek.studio.run_files import RunFiles
    from lenrek.studio.session import Session
    from lenrek.training.classifier import Answers

MOST_KEPT = 8  # runs


@dataclass(frozen=True)
class RunAnswers:
    """Of one run, with the data and contract to read the samples again."""

    answers: Answers
    source: Source
    contract: InputContract

    def cell(self, truth: int, said: int) -> np.ndarray:
        """Places in `answers` of the samples of a class that were called another, the surest first."""
        posteriors = self.answers.posteriors
        chosen = np.flatnonzero((self.answers.labels == truth) & (posteriors.argmax(1) == said))
        return chosen[np.argsort(-posteriors[chosen, said], kind="stable")]


class AllAnswers:
    """Those of the runs that were asked for last."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: OrderedDict[tuple[str, str], RunAnswers] = OrderedDict()

    def of(self, run: RunFiles) -> RunAnswers:
        """Computed when first asked for.

        Raises:
            OptionError: the run's data is not that of the studio.
            CheckpointError, DataError: the model or the data cannot be read.
        """
        key = (run.name, run.stamp)
        if key not in self._kept:
            self._kept[key] = self._compute(run)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _compute(self, run: RunFiles) -> RunAnswers:
        from lenrek.studio.session import OWN_DATA
        from lenrek.training.classifier import load

        source: Any
        if self._session.data_name is not None:
            source = self._session.source
        elif run.config.get("data") == OWN_DATA:
            source = self._session.own_data
        else:
            data = shown(str(run.config.get("data")))
            raise OptionError(
                f"studio: the pictures behind a cell are those of the run's data, {data}, which was not named at the "
                "start.\n  Hint: lenrek studio … --data DATA."
            )
        classifier = load(run.folder.path)
        stoppable(classifier.network)
        return RunAnswers(classifier.answers(source), source, classifier.contract)
