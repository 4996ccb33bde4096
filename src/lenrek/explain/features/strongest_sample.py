"""The real samples for which objectives are largest, beside which synthesised inputs are to be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lenrek.data.shown import shown
from lenrek.explain.features.objective import WHO, Objective
from lenrek.explain.features.stream import SampleStream
from lenrek.explain.layer_outputs import LayerOutputs
from lenrek.explain.network_of import contract_of, plain_network


@dataclass(frozen=True)
class StrongestSample:
    """The sample of a data set for which an objective is largest: `value`, its `name`, and of how many `samples`."""

    value: float
    name: str
    samples: int


def strongest_samples(
    model: Any, objectives: Sequence[Objective], data: Any, *, limit: int | None = None
) -> list[StrongestSample]:
    """One for each objective, of equal ones the first; the data are gone through once.

    Args:
        model, data, limit: as for `synthesize`.
    """
    stream = SampleStream(contract_of(model), data, limit=limit, who=WHO)
    best = [(-math.inf, 0) for _ in objectives]
    samples = 0
    layers = list(dict.fromkeys(one.layer for one in objectives))
    with LayerOutputs(plain_network(model, WHO), layers, who=WHO) as run:
        for index, x in stream:
            _, outputs = run(x)
            samples += len(index)
            for number, objective in enumerate(objectives):
                found = objective(outputs[layers.index(objective.layer)])
                place = int(found.argmax())
                if float(found[place]) > best[number][0]:
                    best[number] = float(found[place]), int(index[place])
    return [StrongestSample(value, shown(stream.name(at)), samples) for value, at in best]
