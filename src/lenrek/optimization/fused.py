"""What a chain of layers becomes: one call that runs the fused kernels, or the layers themselves where they cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from lenrek.kernels import block as kernels
from lenrek.kernels.pool import Pool
from lenrek.optimization.convolution import correlate
from lenrek.optimization.layers import (
    AVERAGE_POOLS,
    MAX_POOLS,
    NORMS,
    Activation,
    Pooling,
    activation_of,
    convolution_axes,
    pooling_of,
)
from lenrek.optimization.trace import has_hooks

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "gelu": F.gelu,
    "silu": F.silu,
    "hardswish": F.hardswish,
}


def block(
    x: Tensor,
    *,
    residual: Tensor | None,
    convolution: nn.Module | None,
    norm: nn.Module | None,
    activation_layer: nn.Module | None,
    pooling_layer: nn.Module | None,
    activation: tuple[Any, ...] | None,
    pooling: tuple[Any, ...] | None,
) -> Tensor:
    """pool(activation(norm(x) + residual)), or with a convolution's bias instead of the norm.

    The layers are looked at anew on every call: frozen, changed or given hooks, they do what they then say.
    """
    if activation_layer is not None:
        activation = activation_of(activation_layer)
    if pooling_layer is not None:
        pooling = pooling_of(pooling_layer)
    layers = (convolution, norm, activation_layer, pooling_layer)
    described = (activation_layer is None or activation is not None) and (pooling_layer is None or pooling is not None)
    plain = all(layer is None or not has_hooks(layer) for layer in layers)
    plain = plain and (norm is None or type(norm) in NORMS)
    ndim = x.ndim - 2
    fits = (
        1 <= ndim <= 3
        and (norm is None or norm_fits(norm, x))
        and (convolution is None or convolution_axes(convolution) == ndim)
        and (pooling is None or Pooling(*pooling).ndim == ndim)
    )
    if not (described and plain and fits):
        return _layer_by_layer(x, residual, layers, activation, pooling)
    pool = _pool(Pooling(*pooling), ndim) if pooling is not None else None
    name, slope = Activation(*activation) if activation is not None else ("none", 0.01)
    options: dict[str, Any] = {"activation": name, "negative_slope": slope, "residual": residual, "pool": pool}
    if norm is not None:
        return _normalised(x, norm, options)
    if convolution is None:
        return kernels.bias_act_pool(x, None, **options)
    return _biased(x, convolution, options)


def norm_fits(norm: nn.Module, x: Tensor) -> bool:
    wanted = {nn.BatchNorm1d: (2, 3), nn.BatchNorm2d: (4,), nn.BatchNorm3d: (5,)}[type(norm)]  # type: ignore[index]
    return x.ndim in wanted and x.shape[1] == norm.num_features


def _normalised(x: Tensor, norm: Any, options: dict[str, Any]) -> Tensor:
    """As `torch.nn.BatchNorm2d.forward` chooses its statistics."""
    from_batch = norm.training or (norm.running_mean is None and norm.running_var is None)
    kept = not norm.training or norm.track_running_stats
    momentum = 0.0 if norm.momentum is None else norm.momentum
    if norm.training and norm.track_running_stats and norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        if norm.momentum is None:
            momentum = 1.0 / float(norm.num_batches_tracked)
    return kernels.norm_act_pool(
        x,
        norm.weight,
        norm.bias,
        norm.running_mean if kept else None,
        norm.running_var if kept else None,
        training=from_batch,
        momentum=momentum,
        eps=norm.eps,
        **options,
    )


def _biased(x: Tensor, convolution: Any, options: dict[str, Any]) -> Tensor:
    """The bias is added, and its gradient summed, in the pass that activates."""
    return kernels.bias_act_pool(correlate(x, convolution, None), convolution.bias, **options)


def _pool(pooling: Pooling, ndim: int) -> Pool:
    if pooling.kind == "global_average":
        return Pool("global_average")
    kernel, stride, padding = (_each(value, ndim) for value in pooling[2:5])
    return Pool(pooling.kind, kernel, stride, padding, pooling.ceil_mode)  # type: ignore[arg-type]


def _each(value: Any, ndim: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values * ndim if len(values) == 1 else values


def _layer_by_layer(
    x: Tensor,
    residual: Tensor | None,
    layers: tuple[nn.Module | None, ...],
    activation: tuple[Any, ...] | None,
    pooling: tuple[Any, ...] | None,
) -> Tensor:
    convolution, norm, activation_layer, pooling_layer = layers
    for layer in (convolution, norm):
        if layer is not None:
            x = layer(x)
    if residual is not None:
        x = x + residual
    if activation_layer is not None:
        x = activation_layer(x)
    elif activation is not None:
        name, slope = Activation(*activation)
        x = F.leaky_relu(x, slope) if name == "leaky_relu" else _ACTIVATIONS[name](x)
    if pooling_layer is not None:
        return pooling_layer(x)
    if pooling is None:
        return x
    kind, ndim, kernel, stride, padding, ceil = Pooling(*pooling)
    if kind == "global_average":
        return x.mean(tuple(range(-ndim, 0)), keepdim=True)
    if kind == "average":
        return AVERAGE_POOLS[ndim - 1](x, kernel, stride, padding)
    return MAX_POOLS[ndim - 1](x, kernel, stride, padding, ceil_mode=ceil)
