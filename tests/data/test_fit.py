import numpy as np
import pytest
from PIL import Image

from lenrek.data.fit import centred, fit_image, fit_sample, resize, resized_size
from lenrek.errors import ShapeError
from lenrek.models.contract import InputContract


def contract(channels, size, fit="stretch", crop_fraction=1.0):
    return InputContract(channels, size, (0.0,) * channels, (1.0,) * channels, ("a", "b"), fit, crop_fraction)


def triangle_resize(values, want):
    """One axis, sample by sample: a triangle as wide as the larger of both sample distances, cut off at the ends."""
    have = len(values)
    ratio = have / want
    reach = max(ratio, 1.0)
    result = []
    for i in range(want):
        centre = (i + 0.5) * ratio
        weights = [max(0.0, 1 - abs((j + 0.5 - centre) / reach)) for j in range(have)]
        result.append(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))
    return np.array(result)


def oracle(sample, size):
    y = sample.astype(np.float64)
    for axis, want in enumerate(size, start=1):
        y = np.apply_along_axis(triangle_resize, axis, y, want)
    return y


@pytest.mark.parametrize(("shape", "size"), [((2, 11), (5,)), ((1, 7, 9), (10, 4)), ((2, 6, 5, 9), (3, 8, 4))])
def test_resize_is_the_triangle_filter_in_any_dimension(shape, size):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(resize(x, size), oracle(x, size), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_resize_rounds_integers(dtype):
    x = np.random.default_rng(0).integers(0, 256, (1, 9, 14, 3)).astype(dtype)
    y = resize(x, (4, 20, 5))
    assert y.dtype == dtype
    assert np.abs(y - oracle(x, (4, 20, 5))).max() < 0.51


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(5, 20), (31, 7)])
def test_stretch_of_pictures(channels, size):
    x = np.random.default_rng(1).integers(0, 256, (channels, 17, 12), dtype=np.uint8)
    y = fit_sample(x, contract(channels, size))
    assert y.dtype == np.uint8
    assert np.abs(y - oracle(x, size)).max() < 1.01  # Pillow rounds after each axis


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_crop_is_resize_then_centre_cut(dtype):
    x = np.random.default_rng(2).integers(0, 256, (3, 40, 61)).astype(dtype)
    want = contract(3, (14, 10), "crop", crop_fraction=0.7)
    # 14 / 0.7 = 20 is half of 40 and 10 / 0.7 = 14.3 less than a quarter of 61: height decides, 61 / 2 = 30 (to even)
    assert resized_size((40, 61), want) == (20, 30)
    expected = oracle(x, (20, 30))[:, 3:17, 10:20]
    assert np.abs(fit_sample(x, want) - expected).max() < 1.01


def test_crop_geometry_comes_from_the_full_size():
    smaller = Image.fromarray(np.arange(20 * 31, dtype=np.float64).reshape(20, 31).astype(np.uint8))
    want = contract(1, (10, 10), "crop")
    assert resized_size((40, 61), want) == (10, 15)
    expected = smaller.resize((10, 10), Image.Resampling.BILINEAR, box=(2 * 31 / 15, 0, 12 * 31 / 15, 20))
    np.testing.assert_array_equal(fit_image(smaller, (40, 61), want)[0], np.asarray(expected))


def test_pad_centres_and_cuts():
    x = np.arange(1, 13, dtype=np.int16).reshape(1, 2, 6)
    y = fit_sample(x, contract(1, (5, 3), "pad"))
    np.testing.assert_array_equal(y[0], [[0, 0, 0], [2, 3, 4], [8, 9, 10], [0, 0, 0], [0, 0, 0]])


def test_nothing_to_do_is_no_copy():
    x = np.zeros((1, 4, 6), np.float32)
    assert fit_sample(x, contract(1, (4, 6))) is x
    assert centred(x, (4, 6)) is x


def test_read_only_arrays_are_accepted():
    x = np.arange(8, dtype=np.int16).reshape(1, 8)
    x.flags.writeable = False
    np.testing.assert_array_equal(fit_sample(x, contract(1, (4,))), np.rint(oracle(x, (4,))).astype(np.int16))


@pytest.mark.parametrize("shape", [(2, 5, 5), (3, 5), (3, 5, 5, 5)])
def test_wrong_channels_or_axes(shape):
    with pytest.raises(ShapeError) as error:
        fit_sample(np.zeros(shape, np.uint8), contract(3, (4, 6)))
    assert str(error.value) == (
        f"fit_sample: the sample is {shape}, but the network expects (3, any, any): 3 channels and 2 axes."
    )
