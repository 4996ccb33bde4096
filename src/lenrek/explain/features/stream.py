"""Samples of any kind of data in batches as a network takes them, and each again as it is stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lenrek.data.evenly import evenly_spaced
from lenrek.data.load import load_samples
from lenrek.data.normalise import normalise
from lenrek.data.open import open_source
from lenrek.data.source import NDIM, Source
from lenrek.errors import DataError, OptionError
from lenrek.explain.layer_outputs import as_samples
from lenrek.models.contract import InputContract

BATCH_SAMPLES = 64
BATCH_VALUES = 1 << 21  # at the network's input: a batch of large samples stays small in memory


class SampleStream:
    """Goes through samples in order, as often as asked; at no time more than a few batches are in memory.

    Args:
        contract: of the network; None where it has none.
        samples: a `Source` or what `open_source` takes (a path, a named set, arrays with labels), which needs the
            contract; or an array or tensor (samples, channels, *size) as the network takes it.
        limit: at most so many samples, evenly spaced; None for all.
    Attributes:
        order: indices of the samples that are gone through.
    """

    def __init__(self, contract: InputContract | None, samples: Any, *, limit: int | None, who: str) -> None:
        self.contract = contract
        self.source: Source | None = None
        if limit is not None and limit < 1:
            raise OptionError(f"{who}: limit is {limit}, expected at least 1, or None for all samples.")
        if isinstance(samples, Source | str | Path | tuple):
            if self.contract is None:
                raise DataError(
                    f"{who}: the network does not tell how samples are normalised (it has no contract).\n"
                    "  Hint: pass a tensor (samples, channels, *size) of what it takes."
                )
            self.source = samples if isinstance(samples, Source) else open_source(samples)
            if NDIM[self.source.kind] != len(self.contract.size):
                raise DataError(
                    f"{who}: {self.source.name} holds {self.source.kind}s, which are {NDIM[self.source.kind]}-D, but "
                    f"the network takes {len(self.contract.size)}-D samples."
                )
            number, self.size = len(self.source), (self.contract.channels, *self.contract.size)
        else:
            self._x = as_samples(samples, who)
            number, self.size = len(self._x), tuple(self._x.shape[1:])
        self.order = evenly_spaced(number, number if limit is None else limit)
        self.batch_size = max(1, min(BATCH_SAMPLES, BATCH_VALUES // math.prod(self.size)))
        if self.source is not None and self.contract is not None:
            self._loaded = load_samples(self.source, self.contract, indices=self.order, mode="stream")

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[tuple[np.ndarray, Tensor]]:
        """(indices, normalised samples), batch by batch; damaged samples are left out."""
        if self.source is None or self.contract is None:
            for first in range(0, len(self.order), self.batch_size):
                index = self.order[first : first + self.batch_size]
                yield index, self._x[torch.from_numpy(index)]
            return
        for batch in self._loaded.batches(self.order, self.batch_size):
            yield batch.index, normalise(batch.x, self.contract)

    def stored(self, index: int) -> np.ndarray:
        """One sample (channels, *size) as it is stored, at the network's size; of a tensor as it was given."""
        if self.source is None or self.contract is None:
            return self._x[index].numpy()
        return np.ascontiguousarray(self.source.reader.read(index, self.contract))

    def name(self, index: int) -> str:
        return f"sample {index}" if self.source is None else self.source.names[index]

    def label(self, index: int) -> str:
        """Of its class; "" where there are none."""
        return "" if self.source is None else self.source.classes[self.source.labels[index]]
