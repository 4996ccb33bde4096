"""Single operators: every feature's box against what is measured."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from explain.measured_reach import by_gradient, by_not_a_number
from explain.reach_checks import check_fields


class Layer(nn.Module):
    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.modules_given = function, nn.ModuleList(modules)

    def forward(self, x):
        return self.function(x, *self.modules_given)


def resized(**options):
    return lambda x: F.interpolate(x, **options)


def written_in_parts(x):
    y = torch.zeros_like(x)
    y[:, ::2] = x[:, ::2]
    y[:, :, 1:] += x[:, :, :-1]
    return y


def written_through_views(x):
    y = x * 1
    before = y.flip(3)
    y[:, :, 2:5, 1].mul_(x[:, :, 0:3, 6])
    rows = y.transpose(2, 3)
    rows[:, :, 3] += x[:, :, :, 5]
    return y + before.relu_()


def circular_by_cat(x):
    return torch.cat([x[..., -2:], x, x[..., :2]], -1)


SEEN_BY_NAN = {
    "circular": (Layer(lambda x: F.pad(x, (1, 2, 3, 4), mode="circular")), (2, 8, 9)),
    "circular by cat": (Layer(circular_by_cat), (2, 8, 9)),
    "circular layers": (
        nn.Sequential(
            nn.Conv2d(2, 2, (3, 4), padding=(1, 2), padding_mode="circular"), nn.Conv2d(2, 2, 3, stride=2, padding=1)
        ),
        (2, 8, 9),
    ),
    "reflect": (Layer(lambda x: F.pad(x, (1, 2, 3, 4), mode="reflect")), (2, 8, 9)),
    "replicate": (Layer(lambda x: F.pad(x, (1, 2, 3, 4), mode="replicate")), (2, 8, 9)),
    "cut off": (Layer(lambda x: F.pad(x, (-1, 2, -3, 4))), (2, 8, 9)),
    "lstm": (Layer(lambda x, cell: cell(x.transpose(1, 2))[0], nn.LSTM(4, 5, batch_first=True)), (4, 7)),
    "gru, first outputs": (
        Layer(lambda x, cell: cell(x.transpose(1, 2))[0][:, :3], nn.GRU(4, 5, batch_first=True)), (4, 7),
    ),
    "attention": (Layer(lambda x, a: a(x, x, x)[0], nn.MultiheadAttention(8, 2, batch_first=True)), (4, 8)),
    "pixel shuffle": (nn.PixelShuffle(2), (4, 8, 7)),
    "pixel unshuffle": (nn.PixelUnshuffle(2), (4, 8, 6)),
    "channel shuffle": (nn.ChannelShuffle(2), (4, 8, 7)),
    "unfold": (nn.Unfold((3, 2), dilation=(2, 1), padding=(1, 2), stride=(1, 2)), (4, 8, 9)),
    "fold": (Layer(lambda x: F.fold(F.unfold(x, (3, 2), stride=(2, 1)), (9, 9), (3, 2), stride=(2, 1))), (2, 9, 9)),
    "fourier": (Layer(lambda x: torch.fft.irfft(torch.fft.rfft(x))), (4, 8, 6)),
    "slice, flip, roll, repeat": (
        Layer(lambda x: x[:, [1, 0, 2], ::2].flip(2).roll(1, 3).repeat(1, 1, 2, 1)), (4, 8, 7),
    ),
    "windows of a tensor": (Layer(lambda x: x.unfold(2, 3, 2)), (4, 8, 5)),
    "repeated samples": (Layer(lambda x: x.repeat_interleave(2, 2)), (4, 8, 5)),
    "einsum": (Layer(lambda x: torch.einsum("bchw,dc->bdhw", x, x.new_ones(3, 4))), (4, 8, 7)),
    "power-average pooling": (nn.LPPool2d(2, 3), (4, 8, 7)),
    "local response norm": (nn.LocalResponseNorm(3), (4, 8, 7)),
    "max pooling, ceil mode": (nn.MaxPool1d(3, 2, 1, ceil_mode=True), (4, 8)),
    "dilated max pooling": (nn.MaxPool2d((3, 2), (2, 1), (1, 0), dilation=(2, 3)), (4, 11, 9)),
    "adaptive max pooling": (nn.AdaptiveMaxPool3d((2, 3, 4)), (4, 8, 5, 8)),
    "adaptive mean pooling": (nn.AdaptiveAvgPool3d((3, 2, 1)), (4, 8, 4, 8)),
    "writing into parts": (Layer(written_in_parts), (4, 8, 7)),
    "writing through views": (Layer(written_through_views), (4, 8, 8)),
    "linear along an axis": (nn.Linear(8, 3), (4, 5, 8)),
    "bilinear": (Layer(lambda x, layer: layer(x, x), nn.Bilinear(8, 8, 3)), (4, 8)),
    "cumulative sum": (Layer(lambda x: x.cumsum(2)), (4, 8, 5)),
    "gated": (Layer(lambda x: F.glu(x, 1)), (4, 8, 5)),
    "transposed": (
        nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), padding=(1, 0), output_padding=(1, 2), dilation=(1, 2), groups=2),
        (4, 6, 7),
    ),
    "groups keep branches apart": (
        nn.Sequential(
            Layer(lambda x, a, b: torch.cat([a(x), b(x)], 1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)),
            nn.Conv2d(8, 4, 3, padding=2, groups=2, dilation=2),
        ),
        (4, 9, 8),
    ),
    "diagonal": (Layer(lambda x: torch.diagonal(x, 0, 2, 3)), (4, 8, 5)),
    "tokens and back": (Layer(lambda x: x.flatten(2).transpose(1, 2).mul(2).transpose(1, 2).view_as(x)), (4, 6, 5)),
}  # fmt: skip

SEEN_BY_GRADIENTS = {
    "nearest": (Layer(resized(scale_factor=(1.7, 0.6))), (2, 8, 9)),
    "nearest, exact": (Layer(resized(size=(13, 5), mode="nearest-exact")), (2, 8, 9)),
    "bilinear": (Layer(resized(scale_factor=(2, 1.7), mode="bilinear")), (2, 8, 9)),
    "bilinear, corners": (Layer(resized(size=(15, 5), mode="bilinear", align_corners=True)), (2, 8, 9)),
    "bilinear, smoothed": (Layer(resized(size=(3, 5), mode="bilinear", antialias=True)), (2, 8, 9)),
    "bicubic": (Layer(resized(scale_factor=(1.5, 0.7), mode="bicubic")), (2, 8, 9)),
    "linear": (Layer(resized(scale_factor=3, mode="linear")), (2, 8)),
    "trilinear": (Layer(resized(size=(9, 5, 4), mode="trilinear")), (2, 4, 5, 3)),
    "area": (Layer(resized(scale_factor=(1.7, 0.6), mode="area")), (2, 8, 9)),
    "instance norm": (nn.InstanceNorm2d(4), (4, 6, 5)),
    "group norm": (nn.GroupNorm(2, 4), (4, 6, 5)),
    "layer norm": (nn.LayerNorm(7), (4, 6, 7)),
    "nothing but padding": (nn.Sequential(nn.Conv2d(4, 4, 1, padding=1), nn.Conv2d(4, 4, 1, padding=1)), (4, 5, 4)),
}


@pytest.mark.parametrize("name", SEEN_BY_NAN)
def test_by_not_a_number(name):
    check_fields(*SEEN_BY_NAN[name], by_not_a_number)


@pytest.mark.parametrize("name", SEEN_BY_GRADIENTS)
def test_by_gradient(name):
    check_fields(*SEEN_BY_GRADIENTS[name], by_gradient)


def test_the_formula_goes_on_through_a_circular_boundary_tokens_and_matrix_products():
    for name, expected in (("circular layers", (5, 6)), ("tokens and back", (1, 1)), ("einsum", (1, 1))):
        model, shape = SEEN_BY_NAN[name]
        fields = check_fields(model, shape)[""].fields
        assert tuple(field.size for field in fields) == expected
        assert all(field.kind == "regular" and not field.bound for field in fields)
