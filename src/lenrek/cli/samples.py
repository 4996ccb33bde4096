"""A network and the samples that a command shows it: of labelled data, as the network takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lenrek.cli.subject import find_subject
from lenrek.data.shown import tell
from lenrek.errors import DataError, OptionError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from lenrek.data.source import Source


@dataclass(frozen=True)
class Shown:
    """A network, samples `x` (batch, channels, *size) normalised as it takes them, and their `labels`."""

    network: nn.Module
    x: Tensor
    labels: list[str]


def show_samples(model: str, data: str, samples: int, size: str | None, who: str) -> Shown:
    """`samples` of the data's test part where it has one, else of all of it, evenly spaced.

    Args:
        model: an architecture, a run's folder or a model file.
        size: of the input of an architecture; None is that of the data's first sample.
        who: the command, for error messages.
    Raises:
        DataError: nothing readable, or samples with other axes than the network takes.
        ModelError, CheckpointError, OptionError: as `find_subject`.
    """
    import torch

    from lenrek.data.load import load_samples
    from lenrek.data.normalise import normalise
    from lenrek.data.open import open_source
    from lenrek.data.problems import sentences
    from lenrek.data.source import NDIM
    from lenrek.models.contract import InputContract
    from lenrek.models.registry import ARCHITECTURES

    source = open_source(data)
    untrained = model in ARCHITECTURES
    own_size = "x".join(map(str, source.sizes[0].tolist()))
    subject = find_subject(
        model, size or (own_size if untrained else None), source.channels if untrained else None, who
    )
    channels, *axes = subject.shape
    if NDIM[source.kind] != len(axes):
        raise DataError(
            f"{who}: {source.name} holds {source.kind}s, which are {NDIM[source.kind]}-D, but {model} takes "
            f"{len(axes)}-D samples."
        )
    torch.manual_seed(0)  # weights of a network that has not been trained
    network = subject.make().eval()
    contract: Any = network.contract
    if not subject.trained:
        contract = InputContract(channels, tuple(axes), (0.0,) * channels, (1.0,) * channels, source.classes)
    loaded = load_samples(source, contract, indices=_chosen(source, samples, who), mode="stream")
    (batch,) = loaded.batches(_chosen(source, samples, who), samples)
    for sentence in sentences(source.problems):
        tell(sentence)
    if not len(batch.x):
        raise DataError(f"{who}: none of the samples of {source.name} could be read.")
    return Shown(network, normalise(batch.x, contract), [source.classes[label] for label in batch.labels.tolist()])


def parse_numbers(text: str | None, option: str, who: str) -> list[float] | None:
    """`1,2.5,-3` as numbers.

    >>> parse_numbers("1,2.5,-3", "--sizes", "equivariance")
    [1.0, 2.5, -3.0]
    """
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(f"{who}: {option} is {text!r}, expected numbers joined by commas: 1,2.5,4.") from None


def _chosen(source: Source, samples: int, who: str) -> np.ndarray:
    import numpy as np

    everything = np.arange(len(source))
    if source.split is not None and (source.split == "test").any():
        everything = np.flatnonzero(source.split == "test")
    return everything[np.unique(np.linspace(0, len(everything) - 1, min(samples, len(everything))).astype(int))]
