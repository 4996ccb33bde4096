"""`lenrek.draw`: what a layer computes, cell by cell, or the volumes of a whole network."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd

from lenrek.drawing.arithmetic.draw import draw_convolution, draw_pooling, draw_transposed
from lenrek.drawing.arithmetic.placed import Show
from lenrek.drawing.scene.drawing import Drawing
from lenrek.errors import OptionError
from lenrek.explain.network_picture import draw_network
from lenrek.nn import AvgPool, LPPool, MaxPool

_MAX = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, MaxPool)
_MEAN = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, AvgPool)


def draw(model: nn.Module, x: Any = None, *, show: Show | None = None, title: str | None = None) -> Drawing:
    """Draw a convolution, transposed convolution or pooling with its own weights, or the volumes of a network.

    Args:
        model: one layer, of PyTorch or of `lenrek.nn`: then every output is a step. Any other network: its volumes as
            boxes in a row, see `draw_network`.
        x: the input of one sample, an array (channels, *size) or its shape; of a network what `summary` takes.
        show: of a layer: "numbers" (None), "colours" or "both".
        title: above the picture; None: what is drawn; "": none.
    Returns:
        A drawing; `save` writes it as .svg, .png, .gif or .html. A notebook shows it.
    Raises:
        ShapeError: the layer does not fit on x, or has more cells than one could read.
        OptionError: a layer without x, an option without effect.
        TraceError: the network does not run on such an input.
    Example:
        >>> draw(nn.Conv2d(1, 1, (3, 2), stride=(2, 1), padding=1), (1, 7, 5)).num_steps
        24
        >>> draw(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten()), (3, 32, 32)).num_steps
        1
    """
    known = (_ConvNd, *_MAX, *_MEAN, LPPool)
    if not isinstance(model, known):
        if show is not None:
            raise OptionError(f"draw: show={show!r} has no effect on the volumes of a network.")
        return draw_network(model, x, title=title)
    if x is None:
        raise OptionError(f"draw: {type(model).__name__} needs an input, or its shape: draw(layer, (channels, *size)).")
    looks: dict[str, Any] = {"show": show or "numbers", "title": title}
    if isinstance(model, _ConvNd):
        return _convolution(model, x, looks)
    return _pooling(model, x, looks)


def _pooling(layer: Any, x: Any, looks: dict[str, Any]) -> Drawing:
    for name in ("kernel_size", "stride", "padding", "ceil_mode"):
        looks[name] = getattr(layer, name)
    looks |= {"dilation": getattr(layer, "dilation", 1), "boundary": getattr(layer, "padding_mode", None)}
    if isinstance(layer, LPPool):
        looks |= {"kind": "norm", "norm_type": float(layer.norm_type)}
    elif isinstance(layer, _MEAN):
        if getattr(layer, "divisor_override", None) is not None:
            raise OptionError(
                f"draw: {type(layer).__name__} has divisor_override={layer.divisor_override}, expected none: "
                "a mean is drawn over what its window reads."
            )
        looks["kind"] = "average"
        if not layer.count_include_pad:
            looks["boundary"] = "ignore"
    return draw_pooling(x, **looks)


def _convolution(layer: _ConvNd, x: Any, looks: dict[str, Any]) -> Drawing:
    bias = None if layer.bias is None else layer.bias.detach().numpy()
    options: dict[str, Any] = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
    }
    outside: Any = layer.padding_mode
    if layer.transposed:
        extra = layer.output_padding
        return draw_transposed(x, layer.weight, bias, output_padding=extra, boundary=outside, **options, **looks)
    return draw_convolution(x, layer.weight, bias, boundary=outside, **options, **looks)
