"""Fixed views for test time: which a policy leaves, how they spread, and that they are what NumPy makes of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from lenrek.data.augmentation.policy import Policy
from lenrek.data.augmentation.views import Views, find_views
from lenrek.errors import OptionError

CLASSES = ("6", "9", "cat")


def views_of(text: str, count: int, channels: int = 3, size: tuple[int, ...] = (8, 12)) -> Views:
    return find_views(Policy.parse(text), count, channels, size, CLASSES)


def samples(*shape: int, number: int = 5) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(7).integers(0, 256, (number, *shape), np.uint8))


def all_of(views: Views, x: torch.Tensor) -> list[np.ndarray]:
    return [views.apply(x, number).numpy() for number in range(len(views))]


def shifted(x: np.ndarray, further: tuple[int, ...]) -> np.ndarray:
    """Each sample read so much further on, its edges repeated."""
    for axis, (step, length) in enumerate(zip(further, x.shape[2:], strict=True), start=2):
        x = x.take(np.clip(np.arange(length) + step, 0, length - 1), axis)
    return x


def which_shift(view: np.ndarray, x: np.ndarray, reach: tuple[int, ...]) -> tuple[int, ...]:
    found = [
        further for further in product(*(range(-r, r + 1) for r in reach)) if np.array_equal(view, shifted(x, further))
    ]
    assert len(found) == 1
    return found[0]


def test_the_mirror_is_exact_and_comes_first() -> None:
    x = samples(3, 8, 12)
    plain, mirrored = all_of(views_of("flip@0.1,shift=0.25,rotate=9", 2), x)
    np.testing.assert_array_equal(plain, x)
    np.testing.assert_array_equal(mirrored, x.numpy()[..., ::-1])
    found = all_of(views_of("flip,flip_vertical,shift=0.25", 4), x)
    for view, axes in zip(found, ((), (-1,), (-2,), (-1, -2)), strict=True):
        np.testing.assert_array_equal(view, np.flip(x.numpy(), axes))


def test_shifts_are_spread_over_what_training_draws_from() -> None:
    x = samples(2, 8, 32)
    found = [which_shift(view, x.numpy(), (2, 8)) for view in all_of(views_of("shift=0.25", 9, 2, (8, 32)), x)]
    assert found[0] == (0, 0)
    assert len(set(found)) == 9
    assert [(-a, -b) for a, b in found[1::2]] == found[2::2]
    quadrants = {(a > 0, b > 0) for a, b in found[1:5]}
    assert len(quadrants) == 4
    assert max(abs(b) for _, b in found) >= 6  # out to where training goes


def test_mirrors_are_of_the_shifted_sample() -> None:
    x = samples(1, 8, 12)
    found = all_of(views_of("shift=0.25,flip", 6, 1), x)
    for view, mirrored in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, view[..., ::-1])
        which_shift(view, x.numpy(), (2, 3))


def test_every_view_there_is_and_not_one_more() -> None:
    x = samples(1, 8, 12)
    found = {view.tobytes() for view in all_of(views_of("shift=0.125,flip", 18, 1), x)}
    expected = [shifted(x.numpy(), further) for further in product((-1, 0, 1), repeat=2)]
    assert found == {some.tobytes() for one in expected for some in (one, one[..., ::-1])}
    with pytest.raises(OptionError) as caught:
        views_of("shift=0.125,flip", 19, 1)
    assert str(caught.value) == (
        "test-time augmentation: 19 views are asked for, but shift, flip gives only 18 different ones.\n"
        "  Hint: pass --tta 18, or more to choose from, for example --tta-policy flip,shift=0.1."
    )


def test_turns_are_those_of_scipy() -> None:
    x = samples(1, 9, 13)
    plain, *turned = all_of(views_of("rotate=20,interpolation=linear", 3, 1, (9, 13)), x)
    np.testing.assert_array_equal(plain, x)
    angle = np.radians(20 * (2 * ((0.5 + 1 / ((1 + 5**0.5) / 2)) % 1) - 1))  # the first step of the golden ratio
    for view, one in zip(turned, (angle, -angle), strict=True):
        matrix = np.array([[np.cos(one), np.sin(one)], [-np.sin(one), np.cos(one)]])
        middle = np.array([4, 6])
        for got, sample in zip(view[:, 0], x[:, 0].numpy(), strict=True):
            expected = affine_transform(sample.astype(float), matrix, middle - matrix @ middle, order=1, mode="nearest")
            assert np.abs(got - expected).max() <= 1  # of 255: one rounding


@pytest.mark.parametrize("text", ["crop=0.4", "scale=0.3"])
def test_parts_and_scales_within_the_policys_limits(text: str) -> None:
    """Ramps stay ramps: their slopes are the sizes of the parts, and their ends lie inside the sample."""
    size = (21, 33)
    ramps = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij"))[None]
    slopes = []
    for view in all_of(views_of(f"{text},boundary=reflect", 9, 2, size), ramps)[1:]:
        along = view[0, 0, :, 16], view[0, 1, 10, :]
        parts = [ramp[n // 2 + 1] - ramp[n // 2] for ramp, n in zip(along, size, strict=True)]
        slopes.append(parts[0])
        assert parts[0] == pytest.approx(parts[1], abs=1e-4)  # the shape stays
        if text.startswith("crop"):
            for ramp, n, part in zip(along, size, parts, strict=True):
                assert ramp.min() >= 0
                assert ramp.max() <= n - 1
                assert ramp[-1] - ramp[0] == pytest.approx(part * (n - 1), abs=1e-3)
    if text.startswith("crop"):
        assert 0.4**0.5 <= min(slopes) < 0.75 < 0.9 < max(slopes) <= 1
    else:
        assert 1 / 1.3 <= min(slopes) < 0.85 < 1.15 < max(slopes) <= 1.3
        assert [1 / slope for slope in slopes[::2]] == pytest.approx(slopes[1::2], rel=1e-4)


def test_views_of_signals_and_volumes() -> None:
    x = samples(2, 40)
    found = [which_shift(view, x.numpy(), (8,)) for view in all_of(views_of("strong,scale=0", 17, 2, (40,)), x)]
    assert sorted(found) == [(further,) for further in range(-8, 9)]
    x = samples(1, 6, 7, 9)
    found = all_of(views_of("flip,flip_vertical,flip_depth", 8, 1, (6, 7, 9)), x)
    expected = {np.flip(x.numpy(), axes).tobytes() for n in range(4) for axes in product((-1, -2, -3), repeat=n)
                if len(set(axes)) == n}  # fmt: skip
    assert {view.tobytes() for view in found} == expected
    assert len(found) == len(expected) == 8


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float32])
def test_a_sample_has_the_same_views_in_any_batch(dtype: torch.dtype) -> None:
    views = views_of("standard", 6)
    x = samples(3, 8, 12).to(dtype)
    kept = x.clone()
    for number in range(6):
        whole = views.apply(x, number)
        assert whole.dtype == dtype
        for index in range(len(x)):
            assert torch.equal(views.apply(x[index : index + 1], number), whole[index : index + 1])
    assert torch.equal(x, kept)


def test_what_is_not_for_every_class_is_left_out() -> None:
    views = views_of(
        "shift=0.25,flip,rotate=15,crop=0.3,noise=0.1,elastic=0.05; 6,9: flip=0,rotate=5,crop=0.6,shear=3", 9
    )
    assert {step.name: step.amount for step in views.steps} == {"shift": 0.25, "rotate": 5, "crop": 0.6}
    assert views.left_out == {
        "flip": "not done to every class", "noise": "changes values", "elastic": "bends at random",
        "shear": "not done to every class",
    }  # fmt: skip
    assert views.describe() == (
        "9 views by shift=0.25, rotate=5, crop=0.6; left out: noise (changes values); elastic (bends at random); "
        "shear, flip (not done to every class)"
    )


def test_a_rule_keeps_every_view_unmirrored() -> None:
    x = samples(1, 8, 12)
    found = all_of(views_of("shift=0.125,flip; 6: flip=0", 9, 1), x)
    assert {which_shift(view, x.numpy(), (1, 1)) for view in found} == set(product((-1, 0, 1), repeat=2))


def test_policies_that_choose() -> None:
    views = views_of("randaugment,level=10", 5, 3, (32, 32))
    assert {step.name: step.amount for step in views.steps} == {
        "shift": pytest.approx(0.15), "rotate": pytest.approx(10), "shear": pytest.approx(16.7 / 3),
    }  # fmt: skip
    assert [step.name for step in views_of("trivialaugment,flip", 2).steps] == ["flip"]


@pytest.mark.parametrize(
    ("text", "count", "message"),
    [
        ("flip", 1, "1 view is asked for, but at least 2 are expected: the first is the sample as it is.\n"
                    "  Hint: leave --tta out to have no other."),
        ("flip", 0, "0 views are asked for, but at least 2 are expected: the first is the sample as it is.\n"
                    "  Hint: leave --tta out to have no other."),
        ("flip,shift=0.25", 10**9, "1000000000 views are asked for, but flip, shift gives only 70 different ones.\n"
                                   "  Hint: pass --tta 70, or more to choose from, for example --tta-policy "
                                   "flip,shift=0.1."),
        ("none", 4, "the policy is none, which leaves no other view of a sample.\n"
                    "  Hint: say how else to look at it, for example --tta-policy flip,shift=0.1."),
        ("noise=0.1,flip; cat: flip=0", 4,
         "the policy is noise=0.1,flip; cat: flip=0, which leaves no other view of a sample.\n"
         "  noise: changes values\n  flip: not done to every class\n"
         "  Hint: say how else to look at it, for example --tta-policy flip,shift=0.1."),
        ("flip", 4, "4 views are asked for, but flip gives only 2 different ones.\n"
                    "  Hint: pass --tta 2, or more to choose from, for example --tta-policy flip,shift=0.1."),
    ],
)  # fmt: skip
def test_refusals(text: str, count: int, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        views_of(text, count)
    assert str(caught.value) == f"test-time augmentation: {message}"


def test_refusals_of_the_policy_itself() -> None:
    with pytest.raises(OptionError, match=r"no class is called 'dog'"):
        views_of("flip; dog: flip=0", 2)
    with pytest.raises(OptionError, match="signals have no left and right"):
        views_of("flip", 2, 1, (40,))
