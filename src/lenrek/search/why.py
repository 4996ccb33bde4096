"""Where an image is like another: the cosine of each place of its feature map with the other's vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from lenrek.data.normalise import normalise
from lenrek.drawing.colours import diverging

if TYPE_CHECKING:
    from lenrek.search.store import Store


def likeness(store: Store, sample: np.ndarray, vector: np.ndarray) -> np.ndarray | None:
    """The cosine of `vector` with what the network sees at each place, (rows, columns) of the feature map, −1 to 1.

    Averaged over the places these make about the image's similarity; how much each counts depends on the pooling.

    Args:
        sample: uint8 (channels, *size) as the store's network takes it.
        vector: (dims,) of the store, such as a query's.
    Returns:
        None where the layer has no places, or other than two axes of them.
    """
    step = store.embedder.steps[0]
    x = normalise(torch.from_numpy(np.ascontiguousarray(sample))[None], step.contract)
    with torch.inference_mode():
        maps = step.network.get_submodule("0")(x)  # up to the layer, before its pooling
        if maps.ndim != 4 or maps.shape[2] * maps.shape[3] == 1:
            return None
        places = F.normalize(maps[0].flatten(1).T)
        projection = store.settings.projection
        seen = places if projection is None else projection(places)
        return (seen @ torch.from_numpy(vector)).reshape(maps.shape[2:]).numpy()


def painted(pixels: np.ndarray, found: np.ndarray) -> np.ndarray:
    """uint8 RGB (height, width, 3): the image in grey, red where it is like, blue where it is unlike.

    Args:
        pixels: uint8 (channels, height, width).
        found: of `likeness`.
    """
    height, width = pixels.shape[1:]
    most = max(float(np.abs(found).max()), 1e-6)
    heat = np.asarray(
        Image.fromarray((found / most).astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    )
    grey = pixels.mean(0)[..., None]
    return np.rint(grey * diverging(heat, 1.0) / 255).astype(np.uint8)
