"""The samples that the page shows: those of the data by their number, and uploaded images, fitted to the network."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lenrek.data.images import DECODING_ERRORS, decode_image
from lenrek.data.normalise import normalise
from lenrek.data.shown import shown
from lenrek.data.source import NDIM
from lenrek.errors import DataError, OptionError

if TYPE_CHECKING:
    from torch import Tensor

    from lenrek.studio.session import Session

MOST_BYTES = 20_000_000
MOST_PIXELS = 40_000_000
MOST_UPLOADS = 64  # the oldest ones are forgotten
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # of which none runs anything to be read
DATA, UPLOAD = "data", "upload"


@dataclass(frozen=True)
class Sample:
    """What the network sees, before normalisation.

    Attributes:
        id: "data-17" or "upload-" and the start of its content's hash: the same as long as the studio runs.
        name: as the user knows it; anything may stand in it.
        values: (channels, *size) uint8, int16 or float32, fitted to the network's input.
        label: its class, where the data says it.
        content: the file that was uploaded.
    """

    id: str
    name: str
    values: np.ndarray
    label: str | None = None
    content: bytes | None = None


class Samples:
    """Samples by their ids."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._uploads: OrderedDict[str, Sample] = OrderedDict()
        self._lock = Lock()

    def __getitem__(self, id_: str) -> Sample:
        """Raises:
        OptionError: no such sample.
        DataError: it cannot be read.
        """
        kind, _, number = id_.partition("-")
        if kind == UPLOAD:
            with self._lock:
                if id_ in self._uploads:
                    self._uploads.move_to_end(id_)
                    return self._uploads[id_]
            raise OptionError("studio: this image is not here any more.\n  Hint: upload it again.")
        source = self._session.source
        if kind != DATA or not (number.isascii() and number.isdecimal()) or int(number) >= len(source):
            raise OptionError(
                f"studio: there is no sample {shown(id_)!r}; those of {source.name} are {DATA}-0 to "
                f"{DATA}-{len(source) - 1}."
            )
        index = int(number)
        contract = self._session.classifier.contract
        if NDIM[source.kind] != len(contract.size):
            raise DataError(
                f"studio: {source.name} holds {source.kind}s, which are {NDIM[source.kind]}-D, but the network takes "
                f"{len(contract.size)}-D samples."
            )
        values = np.array(source.reader.read(index, contract), order="C")  # a copy, as PyTorch wants to own it
        return Sample(id_, shown(source.names[index]), values, source.classes[source.labels[index]])

    def add(self, content: bytes, name: str) -> Sample:
        """Keep an uploaded image.

        Raises:
            DataError: too large, of a format that is not taken, or damaged.
        """
        check_upload(content)
        contract = self._session.classifier.contract
        if len(contract.size) != 2:
            raise DataError(
                f"studio: the network takes {len(contract.size)}-D samples, and an image is 2-D.\n"
                "  Hint: choose a sample of the data; lenrek studio MODEL --data DATA names it."
            )
        values = np.array(decode_image(content, Path(name), contract), order="C")
        id_ = f"{UPLOAD}-{hashlib.sha256(content).hexdigest()[:16]}"
        sample = Sample(id_, shown(name), values, content=content)
        with self._lock:
            self._uploads[id_] = sample
            while len(self._uploads) > MOST_UPLOADS:
                self._uploads.popitem(last=False)
        return sample

    def original(self, id_: str) -> bytes | Path | np.ndarray:
        """The sample before it was fitted to the network: an uploaded file, a file of the data, or its array."""
        sample = self[id_]
        if sample.content is not None:
            return sample.content
        index, reader = int(id_.partition("-")[2]), self._session.source.reader
        if (paths := getattr(reader, "paths", None)) is not None:
            return Path(paths[index])
        stored = getattr(reader, "x", None)
        return sample.values if stored is None else np.array(stored[index])

    def input(self, id_: str) -> Tensor:
        """(1, channels, *size) as the network takes it."""
        import torch

        values = torch.from_numpy(self[id_].values)[None]
        return normalise(values, self._session.classifier.contract)


def check_upload(content: bytes) -> None:
    """Look at the header alone, so that a small file cannot become a large picture in memory.

    Raises:
        DataError: too many bytes or pixels, or a format that is not taken.
    """
    if len(content) > MOST_BYTES:
        raise DataError(f"studio: the file has {len(content):,} bytes, but at most {MOST_BYTES:,} are taken.")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise _too_many_pixels("more than Pillow opens") from error
    except Image.UnidentifiedImageError as error:
        raise DataError(f"studio: not an image of a format that is taken: {', '.join(FORMATS)}.") from error
    except DECODING_ERRORS as error:
        raise DataError(f"studio: the image is damaged: {error}.") from error
    if height * width > MOST_PIXELS:
        raise _too_many_pixels(f"{height:,} × {width:,}")


def _too_many_pixels(size: str) -> DataError:
    return DataError(
        f"studio: the image has {size} pixels, but at most {MOST_PIXELS:,} are taken.\n  Hint: make it smaller."
    )
