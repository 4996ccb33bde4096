import pytest

from lenrek.cli.subject import find_subject, parse_size
from lenrek.errors import OptionError


@pytest.mark.parametrize(("text", "size"), [(None, None), ("96", (96,)), ("64x96", (64, 96)), ("4X5x6", (4, 5, 6))])
def test_parse_size(text: str | None, size: tuple[int, ...] | None) -> None:
    assert parse_size(text, "train") == size


@pytest.mark.parametrize("text", ["", "x", "64x", "6.5", "64,96"])
def test_size_that_is_none(text: str) -> None:
    with pytest.raises(OptionError) as error:
        parse_size(text, "summary")
    assert (
        str(error.value) == f"summary: --size is {text!r}, expected a whole number for each axis, joined by 'x': 64x96."
    )


@pytest.mark.parametrize(
    ("name", "size", "channels", "shape"),
    [
        ("lenet5", None, None, (3, 28, 28)),
        ("lenet5", "30", 1, (1, 30, 30)),
        ("lenet5", "20x30x24", 2, (2, 20, 30, 24)),
        ("m5", None, None, (3, 8000)),
    ],
)
def test_an_architecture_by_its_name(name: str, size: str | None, channels: int | None, shape: tuple[int, ...]) -> None:
    subject = find_subject(name, size, channels, "bench")
    assert (subject.shape, subject.trained) == (shape, False)


def test_a_size_too_small_for_the_architecture() -> None:
    with pytest.raises(OptionError) as error:
        find_subject("lenet5", "8", None, "bench")
    assert str(error.value) == "bench: --size is 8, but lenet5 needs at least 12 on every axis."
