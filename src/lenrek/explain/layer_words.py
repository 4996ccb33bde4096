"""A layer in a few words: its type and the numbers that tell it from its neighbours."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from lenrek.explain.record import Call

MOST_CHARACTERS = 40
_WINDOW = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1}
_OTHER = {"scale_factor": None, "size": None, "output_size": None, "num_groups": None, "p": None, "mode": "nearest"}


def type_of(module: nn.Module) -> str:
    """The name of a module's class, as the user wrote it."""
    return (type_before_parametrizations(module) if is_parametrized(module) else type(module)).__name__


def options_of(module: nn.Module) -> str:
    """A module's options as far as they are not the usual ones; sizes per axis, or one number where all are equal.

    Example:
        >>> options_of(nn.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2), groups=1))
        '3×5, stride 2, padding 1×2'
        >>> options_of(nn.Dropout(0.5)), options_of(nn.ReLU()), options_of(nn.MultiheadAttention(8, 2))
        ('p 0.5', '', 'heads 2')
    """
    words = []
    kernel = getattr(module, "kernel_size", None)
    if kernel is not None:
        ndim = len(kernel) if isinstance(kernel, tuple | list) else _dimensions(module)
        sizes = kernel if isinstance(kernel, tuple | list) else (kernel,) * ndim
        words.append("×".join(map(str, sizes)))
        for name, usual in _WINDOW.items():
            value = getattr(module, name, None)
            text = _numbers(value)
            if value is not None and text not in ("", _numbers(usual)) and not (name == "stride" and _is_pool(module)):
                words.append(f"{name.replace('_', ' ')} {text}")
            elif name == "stride" and _is_pool(module) and text and value != kernel:
                words.append(f"stride {text}")
    else:
        for name, default in _OTHER.items():
            value = getattr(module, name, None)
            if isinstance(value, int | float | tuple | list | str) and not isinstance(value, bool) and value != default:
                words.append(f"{name.removeprefix('num_').replace('_', ' ')} {_numbers(value)}")
        if isinstance(module, nn.MultiheadAttention):
            words.append(f"heads {module.num_heads}")
        if isinstance(module, nn.RNNBase):
            words += [f"layers {module.num_layers}"] * (module.num_layers > 1)
            words += ["both ways"] * module.bidirectional
    text = ", ".join(words)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def operator_of(call: Call) -> str:
    """An operator as people know it.

    "aten.max_pool2d_with_indices" is "max_pool2d", "aten.add_" is "add", "aten._softmax" is "softmax".
    """
    name = call.name.partition(".")[2].strip("_")
    return name.removeprefix("native_").removesuffix("_with_indices")


def _is_pool(module: nn.Module) -> bool:
    return "Pool" in type(module).__name__


def _dimensions(module: nn.Module) -> int:
    return next((n for n in (1, 2, 3) if f"{n}d" in type(module).__name__), 1)


def _numbers(value: Any) -> str:
    if isinstance(value, tuple | list):
        texts = [_numbers(one) for one in value]
        return texts[0] if len(set(texts)) == 1 else "×".join(texts)
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
