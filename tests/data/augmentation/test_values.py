"""Values, colours, noise and what is taken away, against Pillow, SciPy and plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from scipy import ndimage

from lenrek.data.augmentation import Policy
from lenrek.data.augmentation.apply import drawn_for

N = 40


def photos(channels=3, size=(19, 26), seed=0, dtype=torch.uint8):
    """Smooth pictures, so that neighbours are alike."""
    rough = np.random.default_rng(seed).random((N, channels, *size))
    smooth = ndimage.gaussian_filter(rough, (0, 0, *[2] * len(size)))
    low, high = smooth.min(), smooth.max()
    x = (smooth - low) / (high - low) * 0.8 + 0.1
    return torch.from_numpy(x * 255).to(dtype) if dtype == torch.uint8 else torch.from_numpy(x).to(dtype)


def both(text, x, seed=1, epoch=2):
    """What the policy gives, and what it drew."""
    policy, index = Policy.parse(text), np.arange(100, 100 + len(x))
    drawn = drawn_for(policy, x.shape[1], tuple(x.shape[2:]), index, seed, epoch, None, ())
    return policy.apply(x, index, seed, epoch), drawn


def image(sample):
    return Image.fromarray(sample.permute(1, 2, 0).contiguous().numpy())


def test_brightness_and_contrast():
    x = photos()
    y, drawn = both("brightness=0.5", x)
    for sample, before, part in zip(y, x, drawn.signed("brightness"), strict=True):
        expected = np.asarray(ImageEnhance.Brightness(image(before)).enhance(1 + part)).astype(int)
        assert np.abs(sample.permute(1, 2, 0).numpy() - expected).max() <= 1
    y, drawn = both("contrast=0.6", x)
    for sample, before, part in zip(y.double(), x.double(), drawn.signed("contrast"), strict=True):
        expected = (before.mean() + (1 + part) * (before - before.mean())).clamp(0, 255)
        assert (sample - expected).abs().max() < 0.51
    assert drawn.signed("contrast").min() < -0.4
    assert drawn.signed("contrast").max() > 0.4


def test_gamma_solarize_posterize_autocontrast_equalize():
    x = photos()
    y, drawn = both("gamma=1", x)
    exponent = torch.from_numpy(2 ** drawn.signed("gamma")).reshape(-1, 1, 1, 1)
    assert (y - 255 * (x / 255) ** exponent).abs().max() < 0.51
    y, drawn = both("solarize=0.7", x)
    for sample, before, part in zip(y, x, drawn.positive("solarize"), strict=True):
        assert torch.equal(sample, torch.where(before / 255 > 1 - part, 255 - before, before))
    y, drawn = both("posterize=6", x)
    for sample, before, part in zip(y, x, drawn.positive("posterize"), strict=True):
        expected = ImageOps.posterize(image(before), 8 - round(part))
        assert np.array_equal(sample.permute(1, 2, 0).numpy(), expected)
    for sample, before in zip(both("autocontrast", x)[0], x, strict=True):
        expected = np.asarray(ImageOps.autocontrast(image(before))).astype(int)
        assert np.abs(sample.permute(1, 2, 0).numpy() - expected).max() <= 1
    for sample in both("equalize", x)[0].flatten(0, 1):
        shares = np.sort(sample.flatten().numpy())
        assert (shares[0], shares[-1]) == (0, 255)
        assert np.abs(shares - np.linspace(0, 255, len(shares))).max() < 20  # as common as the levels allow


def test_floats_get_the_same_as_bytes():
    x = photos(dtype=torch.float32)
    x = (x * 255).round() / 255
    for text in ("brightness=0.2,contrast=0.2", "gamma=0.3", "saturation=0.5,hue=0.2", "equalize", "autocontrast",
                 "sharpness=0.8", "blur=2", "erase=0.4", "superimpose=0.5", "rotate=20"):  # fmt: skip
        of_floats = both(text, x)[0].clamp(0, 1) * 255
        of_bytes = both(text, (x * 255).round().to(torch.uint8))[0]
        assert (of_floats - of_bytes).abs().max() < 1.6, text
        assert (of_floats - 255 * x).abs().max() > 4, text


def test_blur_is_scipys_on_axes_of_any_number():
    for size in ((60,), (19, 26), (9, 12, 14)):
        x = torch.rand(4, 2, *size, generator=torch.Generator().manual_seed(1))
        y, drawn = both("blur=2", x)
        for sample, before, width in zip(
            y.flatten(0, 1), x.flatten(0, 1), drawn.positive("blur").repeat(2), strict=True
        ):
            radius = int(np.ceil(3 * width))
            expected = ndimage.gaussian_filter(before.double().numpy(), width, mode="nearest", radius=radius)
            np.testing.assert_allclose(sample, expected, atol=1e-5)


def test_sharpness_is_pillows():
    x = photos()
    y, drawn = both("sharpness=0.9", x)
    for sample, before, part in zip(y, x, drawn.signed("sharpness"), strict=True):
        expected = np.asarray(ImageEnhance.Sharpness(image(before)).enhance(1 + part)).astype(int)
        inside = np.s_[1:-1, 1:-1]  # Pillow leaves the edge as it is
        assert np.abs(sample.permute(1, 2, 0).numpy()[inside] - expected[inside]).max() <= 2


def test_noise_has_the_deviation_drawn():
    x = torch.full((N, 3, 40, 50), 0.5)
    y, drawn = both("noise=0.2", x)
    size = drawn.positive("noise")
    np.testing.assert_allclose((y - x).flatten(1).std(1), size, rtol=0.06)
    assert (y - x).mean().abs() < 0.002
    flat = (y - x).flatten(1)
    assert np.abs(np.corrcoef(flat[:6])[~np.eye(6, dtype=bool)]).max() < 0.06
    y, drawn = both("poisson=0.2", x)
    np.testing.assert_allclose((y - x).flatten(1).std(1), drawn.positive("poisson") * 0.5**0.5, rtol=0.06)
    assert (both("poisson=0.2", 0 * x)[0] == 0).all()
    y, drawn = both("salt_pepper=0.4", x)
    for sample, share in zip(y, drawn.positive("salt_pepper"), strict=True):
        assert (sample == 0).float().mean() == pytest.approx(share / 2, abs=0.02)
        assert (sample == 1).float().mean() == pytest.approx(share / 2, abs=0.02)
        assert torch.equal(sample == 0.5, (sample[:1] == 0.5).expand(3, -1, -1))  # all channels at once


@pytest.mark.parametrize("size", [(24, 36), (10, 12, 14)])
def test_a_box_is_erased(size):
    x = torch.rand(N, 2, *size) + 1
    y, drawn = both("erase=0.4", x)
    for sample, before, share in zip(y, x, drawn.positive("erase"), strict=True):
        gone = (sample != before).all(0)
        where = gone.nonzero()
        if len(where):
            low, high = where.amin(0), where.amax(0)
            assert gone[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))].all()
            assert sample[:, *where[0]].tolist() == pytest.approx(before.flatten(1).mean(1).tolist())
        assert gone.float().mean() == pytest.approx(share, abs=0.09)


def test_signals_are_louder_masked_and_stretched():
    t = np.arange(600)
    x = torch.from_numpy(np.stack([np.sin(2 * np.pi * t / 20), np.sin(2 * np.pi * t / 75)]))[None].float()
    x = x.repeat(N, 1, 1)
    y, drawn = both("gain=12", x)
    np.testing.assert_allclose(y.abs().amax((1, 2)), 10 ** (drawn.signed("gain") / 20), rtol=1e-4)
    y, drawn = both("mask_time=0.5", x)
    for sample, share in zip(y, drawn.positive("mask_time"), strict=True):
        silent = (sample == 0).all(0) & (x[0] != 0).any(0)
        assert int(silent.sum()) == pytest.approx(round(share * 600), abs=1)
    y, drawn = both("mask_frequency=0.4", x)
    before, after = (torch.fft.rfft(s).abs() for s in (x, y))
    lost = 0
    for sample in range(N):
        for channel, peak in ((0, 30), (1, 8)):
            left = after[sample, channel, peak] / before[sample, channel, peak]
            assert left < 1e-3 or left > 0.999
            lost += int(left < 0.5)
    assert 5 < lost < 60
    y, drawn = both("scale=0.5", x)
    crossings = (y[:, 0, :-1].sign() != y[:, 0, 1:].sign()).sum(1)
    assert crossings.min() < 45
    assert crossings.max() == 60  # made shorter, the last value is repeated: half a silence, the same waves


def test_another_sample_is_superimposed():
    x = torch.arange(N, dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 2, 3, 4).contiguous() / N
    y, drawn = both("superimpose=0.5", x)
    part = drawn.positive("superimpose")
    y, x = (values.flatten(1)[:, 0].numpy() for values in (y, x))
    other = (y - x * (1 - part)) / part * N
    chosen = (drawn.uniform("superimpose", 1) * N).astype(int)
    np.testing.assert_allclose(other[part > 0.05], chosen[part > 0.05], atol=1e-3)
    assert len(set(chosen)) > 20
