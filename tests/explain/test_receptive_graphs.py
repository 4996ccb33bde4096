"""Random networks with branches and unequal axes, published ones, and lenrek's own: boxes against measurements."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import lenrek
from explain.measured_reach import by_gradient, by_not_a_number
from explain.published import NETWORKS
from explain.reach_checks import check_fields
from lenrek.models.create import list_models
from lenrek.models.registry import find_architecture

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
MAX_POOL = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
MEAN_POOL = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}
CHANNELS, LONGEST = 4, 14


class Residual(nn.Module):
    """The input added to what some layers of the same size make of it, or beside it and mixed again."""

    def __init__(self, ndim, kernel_size, dilation, beside, groups):
        super().__init__()
        padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel_size, dilation, strict=True))
        self.branch = CONV[ndim](CHANNELS, CHANNELS, kernel_size, padding=padding, dilation=dilation)
        self.beside = CONV[ndim](2 * CHANNELS, CHANNELS, 1, groups=groups) if beside else None

    def forward(self, x):
        if self.beside is None:
            return x + self.branch(x).relu()
        return self.beside(torch.cat([x, self.branch(x)], 1))


class Cut(nn.Module):
    def __init__(self, axis, start, step, flipped):
        super().__init__()
        self.axis, self.start, self.step, self.flipped = axis, start, step, flipped

    def forward(self, x):
        index = [slice(None)] * x.ndim
        index[self.axis] = slice(self.start, None, self.step)
        return x[tuple(index)].flip(self.axis) if self.flipped else x[tuple(index)]


@st.composite
def layers(draw, ndim):
    def each(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(ndim))

    kind = draw(st.sampled_from(
        ["conv", "conv", "transposed", "max", "mean", "adaptive", "nearest", "residual", "residual", "cut", "reflect",
         "circular"]
    ))  # fmt: skip
    kernel_size, stride, dilation = each(1, 4), each(1, 3), each(1, 2)
    if kind == "conv":
        groups = draw(st.sampled_from([1, 2, CHANNELS]))
        return CONV[ndim](CHANNELS, CHANNELS, kernel_size, stride, each(0, 2), dilation, groups)
    if kind == "transposed":
        extra = tuple(draw(st.integers(0, s - 1)) for s in stride)
        return TRANSPOSED[ndim](CHANNELS, CHANNELS, kernel_size, stride, each(0, 1), extra, 2)
    if kind in ("max", "mean"):
        padding = tuple(draw(st.integers(0, k // 2)) for k in kernel_size)
        made = {"max": MAX_POOL, "mean": MEAN_POOL}[kind][ndim]
        return made(kernel_size, stride, padding, ceil_mode=draw(st.booleans()))
    if kind == "adaptive":
        return ADAPTIVE[ndim](each(1, 6))
    if kind == "nearest":
        return nn.Upsample(size=each(2, LONGEST), mode="nearest")
    if kind == "cut":
        return Cut(
            draw(st.integers(2, ndim + 1)), draw(st.integers(0, 2)), draw(st.integers(1, 2)), draw(st.booleans())
        )
    if kind in ("reflect", "circular"):
        return CONV[ndim](CHANNELS, CHANNELS, kernel_size, stride, each(0, 2), padding_mode=kind)
    odd = tuple(2 * (k // 2) + 1 for k in kernel_size)
    return Residual(ndim, odd, dilation, draw(st.booleans()), draw(st.sampled_from([1, 2, CHANNELS])))


@st.composite
def networks(draw):
    """At most five layers that fit one another."""
    ndim = draw(st.sampled_from([1, 2, 2, 3]))
    shape = (CHANNELS, *(draw(st.integers(5, LONGEST if ndim < 3 else 8)) for _ in range(ndim)))
    chain, x = [], torch.empty(1, *shape, device="meta")
    for layer in draw(st.lists(layers(ndim), min_size=1, max_size=5)):
        try:
            after = layer.to("meta")(x)
        except (RuntimeError, ValueError):  # a window that does not fit
            continue
        if after.numel() and max(after.shape[2:]) <= 2 * LONGEST:
            chain.append(layer)
            x = after
    return nn.Sequential(*chain).to_empty(device="cpu"), shape


@given(networks())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_networks(network):
    model, shape = network
    kinds = {type(module).__name__.rstrip("d123") for module in model.modules()}
    wraps = any(getattr(module, "padding_mode", "zeros") != "zeros" for module in model.modules())
    cuts = kinds & {"Cut", "ConvTranspose"}
    check_fields(model, shape, formula="none" if wraps else "holds" if cuts else "equal")


@pytest.mark.parametrize("name", NETWORKS)
def test_published_networks(name):
    # Interpolation reads some neighbours with weight zero, through which NaN goes.
    measure = by_gradient if name in ("hrnet", "deeplab", "fpn") else by_not_a_number
    check_fields(*NETWORKS[name](), measure, formula="none" if name in ("swin", "vit") else "equal")


@pytest.mark.parametrize("name", list_models())
def test_every_operator_of_the_registered_models_is_known(name):
    architecture = find_architecture(name)
    for ndim in architecture.ndims:
        with torch.device("meta"):
            model = lenrek.create_model(name, num_classes=3, in_channels=2, ndim=ndim)
        found = lenrek.receptive_field(model, (2, *[max(architecture.min_size, 32)] * ndim))
        kinds = {
            field.kind for layer in found.layers for field in layer.fields if layer.type not in ("Flatten", "Dropout")
        }
        assert kinds <= {"regular", "whole", "part"}


@pytest.mark.parametrize("name", ["lenet5", "resnet18_cifar", "mobilenet_v2", "m5", "tcn"])
def test_registered_models(name):
    architecture = find_architecture(name)
    model = lenrek.create_model(name, num_classes=3, in_channels=1, ndim=architecture.ndims[0])
    check_fields(model, (1, *[max(architecture.min_size, 32)] * architecture.ndims[0]), formula="equal")
