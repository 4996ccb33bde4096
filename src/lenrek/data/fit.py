"""How a sample of any size becomes one of the network's size: stretched, cropped or padded, in any dimension.

Resizing is linear interpolation whose triangle widens when shrinking (antialiasing), samples at pixel centres: what
Pillow calls BILINEAR and PyTorch `align_corners=False, antialias=True`.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from lenrek.errors import ShapeError
from lenrek.models.contract import InputContract


def resized_size(size: tuple[int, ...], contract: InputContract) -> tuple[int, ...]:
    """The size a sample is resized to, before `contract.size` is cut from its centre.

    >>> contract = InputContract(3, (224, 224), (0.0,) * 3, (1.0,) * 3, ("a", "b"), fit="crop", crop_fraction=0.875)
    >>> resized_size((480, 640), contract)
    (256, 341)
    """
    if contract.fit == "stretch":
        return contract.size
    if contract.fit == "pad":
        return size
    scale = max(want / contract.crop_fraction / have for want, have in zip(contract.size, size, strict=True))
    return tuple(max(want, round(have * scale)) for want, have in zip(contract.size, size, strict=True))


def fit_sample(sample: np.ndarray, contract: InputContract) -> np.ndarray:
    """Brings an array to the contract's size. A grey image becomes one of three equal colours where these are expected.

    Args:
        sample: (channels, *size), of any real dtype.
    Returns:
        (channels, *contract.size) of the same dtype (integers rounded); `sample` itself where nothing has to be done.
    Raises:
        ShapeError: channels or number of axes are not the contract's.
    Example:
        >>> contract = InputContract(1, (4,), (0.0,), (1.0,), ("a", "b"), fit="pad")
        >>> fit_sample(np.array([[1, 2]], np.int16), contract)
        array([[0, 1, 2, 0]], dtype=int16)
    """
    if sample.shape[0] == 1 and contract.channels == 3 and sample.ndim == 3 == len(contract.size) + 1:
        sample = np.broadcast_to(sample, (3, *sample.shape[1:]))
    if sample.ndim != len(contract.size) + 1 or sample.shape[0] != contract.channels:
        want = ", ".join([str(contract.channels), *("any" for _ in contract.size)])
        raise ShapeError(
            f"fit_sample: the sample is {sample.shape}, but the network expects ({want}): "
            f"{contract.channels} channels and {len(contract.size)} axes."
        )
    size = sample.shape[1:]
    resized = resized_size(size, contract)
    if resized == size:
        return centred(sample, contract.size)
    if sample.dtype == np.uint8 and len(size) == 2 and contract.channels in (1, 3):
        pixels = sample[0] if contract.channels == 1 else np.ascontiguousarray(sample.transpose(1, 2, 0))
        return fit_image(Image.fromarray(pixels), size, contract)
    return centred(resize(sample, resized), contract.size)


def fit_image(image: Image.Image, size: tuple[int, int], contract: InputContract) -> np.ndarray:
    """`fit_sample` for a Pillow image in mode L or RGB; uint8 (channels, height, width), a view.

    Args:
        size: (height, width) that decides the geometry: the file's own, of which `image` may be a smaller decode.
    """
    resized = resized_size(size, contract)
    if contract.fit == "pad":
        return centred(_channels_first(image), contract.size)
    # Resize only what remains after cutting; Pillow's box still sees the pixels around it, so the result is the same.
    box = []
    for want, whole, have in zip(contract.size, resized, (image.height, image.width), strict=True):
        first = (whole - want) // 2
        box.append((first * have / whole, (first + want) * have / whole))
    (top, bottom), (left, right) = box
    height, width = contract.size
    return _channels_first(image.resize((width, height), Image.Resampling.BILINEAR, box=(left, top, right, bottom)))


def _channels_first(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def centred(sample: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Per axis: cut to the centre where too long, zeros on both sides where too short (the odd one last)."""
    if sample.shape[1:] == size:
        return sample
    cut, pad = [slice(None)], [(0, 0)]
    for have, want in zip(sample.shape[1:], size, strict=True):
        first, missing = max(0, (have - want) // 2), max(0, want - have)
        cut.append(slice(first, first + want))
        pad.append((missing // 2, missing - missing // 2))
    return np.pad(sample[tuple(cut)], pad)


def resize(sample: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Linear interpolation, antialiased, one axis after the other; same dtype, integers rounded.

    Args:
        sample: (channels, *any).
        size: of the result, one per axis after the channels.
    """
    import torch

    x = torch.from_numpy(np.array(sample, np.float32))  # a copy: the source's array may be read-only
    for axis, want in enumerate(size, start=1):
        rows = x.movedim(axis, -1)
        flat = rows.reshape(1, 1, -1, rows.shape[-1])
        flat = torch.nn.functional.interpolate(flat, (flat.shape[2], want), mode="bilinear", antialias=True)
        x = flat.reshape(*rows.shape[:-1], want).movedim(-1, axis)
    resized = x.numpy()
    if np.issubdtype(sample.dtype, np.integer):
        limits = np.iinfo(sample.dtype)
        return np.rint(resized).clip(limits.min, limits.max).astype(sample.dtype)
    return resized.astype(sample.dtype, copy=False)
