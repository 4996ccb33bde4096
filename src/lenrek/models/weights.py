"""Weights from a file into a network: every key must fit, and nothing in the file is ever executed."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from lenrek.errors import CheckpointError
from lenrek.models.tensor_file import read_tensors

_SHOWN = 10  # keys of each sort that an error lists


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Fill the parameters and buffers of `model` from a file whose key names are the model's own.

    Args:
        path: safetensors, or a PyTorch `.pt` or `.pth` file that holds a state dict. Floating values are converted to
            the model's dtype.
    Raises:
        CheckpointError: the file is missing, damaged or would execute code, or its keys or shapes are not the model's.
    """
    tensors, metadata = read_weights(path)
    fill(model, tensors, str(path), metadata.get("architecture"))


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata in a safetensors, `.pt` or `.pth` file; the last two have no metadata.

    Of a training checkpoint `{"state_dict": …, …}` the state dict is taken; the prefix `module.`, which
    `DataParallel` puts before every name, is dropped.
    """
    tensors, metadata = (_read_pickled(path), {}) if Path(path).suffix in (".pt", ".pth") else read_tensors(path)
    if tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors, metadata


def fill(model: nn.Module, tensors: Mapping[str, Tensor], origin: str, says: str | None = None) -> None:
    """Copy `tensors` into the parameters and buffers of `model` that have their names.

    Batch norm's counters `num_batches_tracked`, which files from before PyTorch 0.4.1 lack, may be missing.

    Args:
        origin: what an error calls the tensors, such as their file.
        says: the architecture that they are of, by their own account.
    Raises:
        CheckpointError: names, shapes or kinds of dtype differ; all are named, nothing was copied.
    """
    wanted = model.state_dict()
    missing = [key for key in wanted if key not in tensors and not key.endswith(".num_batches_tracked")]
    unexpected = [key for key in tensors if key not in wanted]
    shared = [key for key in wanted if key in tensors]
    misfits = [key for key in shared if _what(tensors[key]) != _what(wanted[key])]
    if not (missing or unexpected or misfits):
        model.load_state_dict(tensors, strict=False)
        return
    sorts = {
        "missing": [f"{key} {_what(wanted[key])}" for key in missing],
        "unexpected": [f"{key} {_what(tensors[key])}" for key in unexpected],
        "misfit": [f"{key} is {_what(tensors[key])}, the model has {_what(wanted[key])}" for key in misfits],
    }
    lines = [f"  {sort}: {text}" for sort, texts in sorts.items() for text in _shorten(texts)]
    counts = ", ".join(f"{len(texts)} {sort}" for sort, texts in sorts.items() if texts)
    if missing or unexpected:
        hint = "these are the weights of another architecture" + (f"; the file says {says!r}." if says else ".")
    else:
        hint = _explain([(tensors[key], wanted[key]) for key in misfits])
    raise CheckpointError(
        "\n".join([f"{origin} does not fit this model of {len(wanted)} keys: {counts}.", *lines, f"  Hint: {hint}"])
    )


def _explain(pairs: list[tuple[Tensor, Tensor]]) -> str:
    """What differs between (file, model) tensors of equal names, in the words of `create_model`."""
    first, model_first = pairs[0]
    if first.ndim != model_first.ndim:
        return f"the file is for ndim={first.ndim - 2}, the model for ndim={model_first.ndim - 2}."
    axes = {axis for a, b in pairs for axis, (m, n) in enumerate(zip(a.shape, b.shape, strict=False)) if m != n}
    if axes == {0}:
        return f"the file has {len(first)} outputs, the model {len(model_first)}: pass num_classes={len(first)}."
    if axes == {1} and len(pairs) == 1 and first.ndim > 2:
        channels, model_channels = first.shape[1], model_first.shape[1]
        return (
            f"the file is for {channels} input channels, the model for {model_channels}: pass in_channels={channels}."
        )
    return "these are the weights of another variant of this architecture."


def _what(tensor: Tensor) -> str:
    """Shape, and dtype where it is not floating point: what must agree."""
    shape = str(tuple(tensor.shape))
    return shape if tensor.is_floating_point() else f"{shape} {str(tensor.dtype).removeprefix('torch.')}"


def _shorten(texts: list[str]) -> list[str]:
    more = len(texts) - _SHOWN
    return texts[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])


def _read_pickled(path: str | Path) -> dict[str, Tensor]:
    try:
        Path(path).open("rb").close()  # so that an OSError below is about the contents
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise whatever the byte that is wrong leads to
        named = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if named is None:
            raise CheckpointError(f"{path} is cut short or damaged, or is no PyTorch file.") from error
        raise CheckpointError(
            f"{path} was not opened: it holds more than tensors, and would run {named[1]}.\n"
            "  Hint: where you trust it, load it with PyTorch and save model.state_dict() alone."
        ) from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise CheckpointError(f"{path} does not hold a state dict: names and their tensors.")
    return dict(loaded)
