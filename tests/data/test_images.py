import io
import os
import warnings

import numpy as np
import pytest
from PIL import Image

from lenrek.data.images import ImageReader, describe_start, inspect_image
from lenrek.errors import DataError, ShapeError
from lenrek.models.contract import InputContract


def contract(channels=3, size=(6, 9), fit="stretch"):
    return InputContract(channels, size, (0.0,) * channels, (1.0,) * channels, ("a", "b"), fit)


def read(path, channels=3, size=(6, 9), fit="stretch"):
    return ImageReader([path]).read(0, contract(channels, size, fit))


def picture(height=6, width=9):
    """Colours that vary slowly, differently along each axis, so that JPEG keeps them and every turn shows."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * y // height, 255 * x // width, 80 + 0 * x], axis=-1).astype(np.uint8)


def save(path, image, **options):
    image.save(path, **options)
    return path


def test_png_pixels_are_exact(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(picture()))
    y = read(path)
    assert y.dtype == np.uint8
    np.testing.assert_array_equal(y, picture().transpose(2, 0, 1))
    header = inspect_image(path)
    assert (header.channels, header.height, header.width, header.note) == (3, 6, 9, None)


def test_grey_is_luma_and_grey_becomes_rgb(tmp_path):
    rgb = picture().astype(np.float64)
    luma = rgb @ [0.299, 0.587, 0.114]
    path = save(tmp_path / "a.png", Image.fromarray(picture()))
    assert np.abs(read(path, channels=1)[0] - luma).max() < 0.51
    grey = save(tmp_path / "g.png", Image.fromarray(picture()[:, :, 0]))
    np.testing.assert_array_equal(read(grey), np.broadcast_to(picture()[:, :, 0], (3, 6, 9)))
    assert inspect_image(grey).channels == 1


def test_sixteen_bit_grey(tmp_path):
    values = np.array([[0, 128, 129, 257], [385, 386, 65406, 65535]], np.uint16)
    for name in ("a.png", "a.tif"):
        path = save(tmp_path / name, Image.fromarray(values))
        np.testing.assert_array_equal(read(path, 1, (2, 4))[0], [[0, 0, 1, 1], [1, 2, 254, 255]])
        assert inspect_image(path).note == "16-bit grey to 8 bits"


def test_values_without_a_known_white_are_refused(tmp_path):
    path = save(tmp_path / "a.tif", Image.fromarray(np.array([[0.5, 2.0]], np.float32)))
    with pytest.raises(DataError) as error:
        read(path, 1, (1, 2))
    assert str(error.value) == (
        f"{path}: damaged image: values 0.5…2.0 of mode F have no known white; save them as .npy arrays."
    )


def test_transparency_is_laid_on_white(tmp_path):
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 0] = 200
    rgba[0, :, 3] = [255, 0, 51]  # 51 / 255 = 1/5
    path = save(tmp_path / "a.png", Image.fromarray(rgba))
    expected = [[200, 255, 244], [0, 255, 204], [0, 255, 204]]  # 200/5 + 255·4/5 = 244; 0/5 + 255·4/5 = 204
    np.testing.assert_array_equal(read(path, 3, (1, 3))[:, 0], expected)
    assert inspect_image(path).note == "transparency laid on white"


def test_palette_with_a_transparent_entry_and_one_bit(tmp_path):
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    path = save(tmp_path / "a.gif", palette, transparency=1)
    np.testing.assert_array_equal(read(path, 3, (1, 2))[:, 0], [[10, 255], [20, 255], [30, 255]])
    bits = save(tmp_path / "b.png", Image.fromarray(np.array([[True, False, True]])))
    np.testing.assert_array_equal(read(bits, 1, (1, 3)), [[[255, 0, 255]]])


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(tmp_path, name):
    path = save(tmp_path / name, Image.new("CMYK", (9, 6), (0, 255, 255, 0)))
    assert inspect_image(path).note == "CMYK to RGB"
    assert np.abs(read(path).astype(int) - np.array([255, 0, 0]).reshape(3, 1, 1)).max() <= 3


def test_first_of_several_frames(tmp_path):
    red, blue = Image.new("RGB", (9, 6), "red"), Image.new("RGB", (9, 6), "blue")
    path = save(tmp_path / "a.gif", red, save_all=True, append_images=[blue])
    assert inspect_image(path).note == "first of several frames"
    np.testing.assert_array_equal(read(path)[:, 0, 0], [255, 0, 0])


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(24, 40), (11, 13)])
def test_every_exif_orientation(tmp_path, suffix, orientation, size):
    upright = picture(24, 40)
    # What a camera held that way stores (EXIF: row 0 and column 0 of the stored image are these sides of the scene).
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1], 8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98, "subsampling": 0} if suffix == "jpg" else {}
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(np.ascontiguousarray(stored)), exif=exif, **options)
    header = inspect_image(path)
    assert (header.height, header.width) == (24, 40)
    assert header.note == (None if orientation == 1 else "turned by its EXIF orientation")
    expected = Image.fromarray(upright).resize(size[::-1], Image.Resampling.BILINEAR)
    assert np.abs(read(path, 3, size).transpose(1, 2, 0).astype(int) - np.asarray(expected)).max() <= 8
    pixels = read(path, 3, (30, 50), "pad").transpose(1, 2, 0)
    assert np.abs(pixels[3:27, 5:45].astype(int) - upright).max() <= 8


def test_reduced_decoding_of_a_turned_picture_keeps_what_each_axis_needs(tmp_path):
    stripes = np.where(np.arange(64) // 4 % 2, 230, 30).astype(np.uint8)  # along the width once it is upright
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", Image.fromarray(np.repeat(stripes[:, None], 256, axis=1)), quality=98, exif=exif)
    y = read(path, 1, (16, 64))
    assert np.abs(y[0].astype(int) - stripes[::-1]).max() <= 12


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(20, 32), (50, 45), (150, 230)])
@pytest.mark.parametrize("channels", [1, 3])
def test_reduced_decoding_is_close_to_resizing_the_full_decode(tmp_path, fit, size, channels):
    path = save(tmp_path / "a.jpg", Image.fromarray(picture(160, 243)), quality=95)
    lossless = save(tmp_path / "a.png", Image.open(path))
    difference = read(path, channels, size, fit).astype(float) - read(lossless, channels, size, fit)
    assert np.abs(difference).mean() < 1.2
    assert np.abs(difference).max() < 24  # half a sample of a ramp of 255 / 160 per pixel, at the borders


def test_jpeg_that_needs_no_resizing_equals_pillow(tmp_path):
    path = save(tmp_path / "a.jpg", Image.fromarray(picture(32, 48)), subsampling=0)
    np.testing.assert_array_equal(read(path, 3, (32, 48)), np.asarray(Image.open(path)).transpose(2, 0, 1))


def jpeg_bytes():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty: 0 bytes."),
        (b"%PDF-1.7", "not an image: its 8 bytes begin like a PDF."),
        (b"just some words", "not an image: its 15 bytes begin with the text 'just some words'."),
        (b"\0\1\2\3", "not an image: its 4 bytes begin with 00 01 02 03, which is no format known here."),
    ],
)
def test_files_that_are_no_images(tmp_path, content, message):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for action in (inspect_image, read):
        with pytest.raises(DataError) as error:
            action(path)
        assert str(error.value) == f"{path}: {message}"


def test_a_jpeg_cut_short_is_found_without_decoding_the_whole_ones(tmp_path):
    content = jpeg_bytes()
    path = tmp_path / "a.jpg"
    path.write_bytes(content[: len(content) // 2])
    for action in (inspect_image, read):
        with pytest.raises(DataError, match=r"a\.jpg: damaged image: image file is truncated \(\d+ bytes not"):
            action(path)
    path.write_bytes(content + b"\0" * 20_000)  # a whole one with something appended
    assert inspect_image(path).height == 64
    assert read(path, 3, (64, 64)).shape == (3, 64, 64)


def test_a_png_cut_short_is_found_at_the_latest_when_read(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(picture(64, 64)))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"a\.png: damaged image: "):
        read(path)


def test_a_jpeg_named_png_is_read_as_what_it_is(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(jpeg_bytes())
    assert inspect_image(path).width == 64
    assert read(path).shape == (3, 6, 9)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_decompression_bombs(tmp_path, monkeypatch, suffix):
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(picture(20, 30)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for action in (inspect_image, read):
        with pytest.raises(DataError, match=r"damaged image: Image size \(600 pixels\) exceeds limit of 200 pixels"):
            action(path)


def test_missing_and_unreadable_files(tmp_path):
    for path, reason in ((tmp_path / "none.png", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(DataError) as error:
            inspect_image(path)
        assert str(error.value) == f"{path}: cannot be read: {reason}."


def test_a_name_that_is_not_utf8_is_printable_in_the_message(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(b"")
    with pytest.raises(DataError) as error:
        inspect_image(path)
    assert str(error.value) == f"{tmp_path}/caf\\xe9.png: empty: 0 bytes."


def test_a_contract_that_no_image_meets(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(picture()))
    with pytest.raises(ShapeError) as error:
        read(path, 4)
    assert str(error.value) == (
        f"{path}: an image can be read as 1 (grey) or 3 (RGB) channels of 2 axes, "
        "but the network expects 4 channels of 2 axes."
    )


def test_describe_start_knows_web_pages():
    assert describe_start(b"\n <html>...") == "its 11 bytes begin like an HTML page"


def test_flowers(real_data, tmp_path):
    import tarfile

    with tarfile.open(real_data / "flowers.tar.gz") as archive:
        members = [member for member, _ in zip(archive, range(40), strict=False) if member.name.endswith(".jpg")]
        archive.extractall(tmp_path, members[:20], filter="data")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for member in members[:20]:
            path = tmp_path / member.name
            header = inspect_image(path)
            assert min(header.height, header.width) == 160
            full = np.asarray(Image.open(path).resize((64, 64), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
            error = np.mean((read(path, 3, (64, 64)).astype(float) - full) ** 2)
            assert 10 * np.log10(255**2 / error) > 30
