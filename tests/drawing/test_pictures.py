"""Pictures read back pixel by pixel; drawings read back point by point."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from lenrek.drawing.pictures import picture, png
from lenrek.training.evaluation import evaluate_posteriors
from lenrek.training.report.confusion import confusion_picture
from lenrek.training.report.filters import filter_caption, filter_pictures


def pixels_of(markup: str) -> list[np.ndarray]:
    """Every PNG inside the markup, decoded."""
    encoded = re.findall(r'src="data:image/png;base64,([^"]+)"', markup)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in encoded]


def points_of(markup: str) -> list[np.ndarray]:
    """Every path inside the markup as (points, 2)."""
    return [
        np.array([[float(number) for number in point.split()] for point in line.split("L")])
        for line in re.findall(r'd="M([^"Z]+)', markup)
    ]


def test_a_grey_and_a_colour_image_come_out_as_they_went_in():
    rng = np.random.default_rng(0)
    grey, colour = (rng.integers(0, 256, (channels, 5, 7), dtype=np.uint8) for channels in (1, 3))
    np.testing.assert_array_equal(pixels_of(picture(grey, "x"))[0], grey[0])
    np.testing.assert_array_equal(pixels_of(picture(colour, "x"))[0], colour.transpose(1, 2, 0))


def test_float_images_stretch_to_their_own_range_and_ignore_what_is_not_finite():
    sample = np.array([[[-2.0, 0.0], [1.0, np.nan]]], dtype=np.float32)
    np.testing.assert_array_equal(pixels_of(picture(sample, "x"))[0], [[0, 170], [255, 170]])
    np.testing.assert_array_equal(pixels_of(picture(np.full((1, 2, 3), 4.0, np.float32), "x"))[0], np.zeros((2, 3)))


def test_two_channels_are_averaged():
    sample = np.stack([np.full((3, 4), 10, np.uint8), np.full((3, 4), 30, np.uint8)])
    np.testing.assert_array_equal(pixels_of(picture(sample, "x"))[0], np.full((3, 4), 20))


def test_large_images_shrink_and_keep_their_proportions():
    assert pixels_of(picture(np.zeros((3, 400, 800), np.uint8), "x"))[0].shape == (96, 192, 3)
    assert pixels_of(picture(np.zeros((1, 800, 400), np.uint8), "x"))[0].shape == (192, 96)


def test_small_images_keep_their_pixels_visible():
    assert 'class="pixelated"' in picture(np.zeros((1, 8, 8), np.uint8), "x")
    assert "pixelated" not in picture(np.zeros((1, 96, 40), np.uint8), "x")


def test_a_volume_shows_its_maximum_along_each_axis():
    volume = np.zeros((1, 2, 3, 4), np.uint8)
    volume[0, 1, 2, 3], volume[0, 0, 1, 0] = 200, 90
    markup = picture(volume, "chair")
    along_1, along_2, along_3 = pixels_of(markup)
    np.testing.assert_array_equal(along_1, [[0, 0, 0, 0], [90, 0, 0, 0], [0, 0, 0, 200]])
    np.testing.assert_array_equal(along_2, [[90, 0, 0, 0], [0, 0, 0, 200]])
    np.testing.assert_array_equal(along_3, [[0, 90, 0], [0, 0, 200]])
    assert 'alt="chair, along axis 2"' in markup


def test_voxels_of_0_and_1_are_black_and_white():
    volume = np.zeros((1, 2, 3, 4), np.uint8)
    volume[0, 1, 2, 3] = 1
    along_1, _, along_3 = pixels_of(picture(volume, "chair"))
    np.testing.assert_array_equal(along_1, [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 255]])
    np.testing.assert_array_equal(along_3, [[0, 0, 0], [0, 0, 255]])


def test_a_short_signal_is_a_line_through_every_sample():
    (points,) = points_of(picture(np.array([[0, 100, -100, 50]], dtype=np.int16), "x"))
    np.testing.assert_allclose(points, [[0, 40], [80, 2], [160, 78], [240, 21]])


def test_a_long_signal_keeps_its_extremes():
    trace = np.zeros((1, 10_000), dtype=np.float32)
    trace[0, 4_321], trace[0, 8_765] = 2.0, -2.0  # one sample each among ten thousand
    (points,) = points_of(picture(trace, "x"))
    assert points[:, 1].min() == 2
    assert points[:, 1].max() == 78
    assert len(points) == 2 * 240
    assert points[points[:, 1].argmin(), 0] == pytest.approx(4_321 / 10_000 * 240, abs=1)


def test_signals_of_many_channels_say_how_many_are_shown():
    markup = picture(np.ones((12, 30), np.float32), "heart")
    assert len(points_of(markup)) == 4
    assert 'aria-label="heart, first 4 of 12 channels"' in markup


def test_filters_are_scaled_by_their_own_largest_weight_and_keep_zero_grey():
    weight = np.zeros((2, 1, 1, 3), np.float32)
    weight[0, 0, 0] = [-0.5, 0.0, 0.25]
    weight[1, 0, 0] = [0.0, 0.0, 8.0]
    first, second = (pixels_of(one)[0] for one in filter_pictures(weight))
    np.testing.assert_array_equal(first, [[0, 128, 191]])
    np.testing.assert_array_equal(second, [[128, 128, 255]])


def test_three_input_channels_are_red_green_blue():
    weight = np.zeros((1, 3, 1, 2), np.float32)
    weight[0, :, 0, 0] = [1.0, 0.0, -1.0]
    np.testing.assert_array_equal(pixels_of(filter_pictures(weight)[0])[0], [[[255, 128, 0], [128, 128, 128]]])


def test_of_other_channel_counts_the_strongest_is_seen():
    weight = np.zeros((1, 2, 1, 2), np.float32)
    weight[0, 0, 0], weight[0, 1, 0] = [0.1, 0.1], [-1.0, 1.0]
    np.testing.assert_array_equal(pixels_of(filter_pictures(weight)[0])[0], [[0, 255]])


def test_1d_filters_are_curves_and_3d_filters_are_slices():
    (line,) = points_of(filter_pictures(np.array([[[0.0, 2.0, -2.0]]], np.float32))[0])
    np.testing.assert_allclose(line, [[16, 32], [48, 4], [80, 60]])
    cube = np.zeros((1, 1, 2, 1, 3), np.float32)
    cube[0, 0, 1, 0] = [1.0, 0.0, -1.0]
    still, moving = pixels_of(filter_pictures(cube)[0])
    np.testing.assert_array_equal(still, [[128, 128, 128]])
    np.testing.assert_array_equal(moving, [[255, 128, 0]])


def test_captions_say_what_is_seen():
    assert filter_caption(np.zeros((96, 3, 11, 7))) == (
        "The first 64 of 96 filters of size 11 × 7, as pictures, mid-grey is zero. Each is scaled by its own largest "
        "absolute weight. Its three input channels are the red, green and blue."
    )
    assert filter_caption(np.zeros((8, 2, 5))) == (
        "All 8 filters of size 5, drawn as curves around their zero line. Each is scaled by its own largest absolute "
        "weight. Of its 2 input channels each shows the one with the largest weights."
    )
    assert len(filter_pictures(np.ones((96, 1, 2, 2)))) == 64


def test_descriptions_are_text():
    assert 'alt="&lt;b&gt;&#34;x&#34;"' in png(np.zeros((2, 2), np.uint8), '<b>"x"')


def test_confusion_picture_is_as_opaque_as_the_root_of_the_share():
    measured = evaluate_posteriors(np.eye(2)[[0, 0, 0, 1, 1]], np.array([0, 0, 0, 0, 1]), ["cat", "dog"])
    (pixels,) = pixels_of(confusion_picture(measured))
    np.testing.assert_array_equal(pixels[..., 3], [[221, 128], [0, 255]])
    assert pixels[0, 0, 2] > pixels[0, 0, 0]  # blue is right
    assert pixels[0, 1, 0] > pixels[0, 1, 2]  # red is wrong
