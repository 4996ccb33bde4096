"""What a network expects at its input and means by its outputs: the one thing that must travel with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from lenrek.errors import CheckpointError

Fit = Literal["stretch", "crop", "pad"]


@dataclass(frozen=True)
class InputContract:
    """Input and classes of a network.

    Attributes:
        channels: 1 grey, 3 RGB (images are converted), any number for arrays.
        size: samples per spatial axis, (height, width) for images; its length is the number of dimensions.
        mean, std: per channel, of values divided by `full_scale`.
        classes: the name of each output, in order.
        fit: how a sample of another size is brought to `size`: "stretch" (resize every axis), "crop" (resize the short
            side to size / `crop_fraction`, cut the centre), "pad" (no resizing: centre, zeros around, cut the rest).
        crop_fraction: for "crop" only.
        sample_rate_hz: signals only: what the recordings are resampled to.
        full_scale: the stored value that became 1 in training: 255 (uint8), 32768 (int16), 1 (floats as they are).
    """

    channels: int
    size: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    fit: Fit = "stretch"
    crop_fraction: float = 1.0
    sample_rate_hz: int | None = None
    full_scale: int = 255

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_json` is its inverse.

        >>> contract = InputContract(1, (28, 28), (0.13,), (0.31,), ("zero", "one"))
        >>> InputContract.from_json(contract.to_json()) == contract
        True
        """
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> InputContract:
        try:
            fixed: dict[str, Any] = {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in fields.items()}
            return cls(**fixed)
        except (TypeError, AttributeError) as error:
            raise CheckpointError(f"InputContract: the stored contract cannot be read: {error}.") from error
