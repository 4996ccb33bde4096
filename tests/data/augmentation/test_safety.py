"""Which transforms change a class for a network, and the picture of what a policy does."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from lenrek.data.augmentation import Policy
from lenrek.data.augmentation.picture import policy_montage, policy_page
from lenrek.data.augmentation.safety import label_safety
from lenrek.errors import DataError, ShapeError

CLASSES = ("left", "right", "both")


def pictures(per_class=30, seed=0):
    """Grey pictures, bright at the left, at the right or on both sides."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 60, (3 * per_class, 1, 12, 18), dtype=np.uint8)
    labels = np.arange(3 * per_class) % 3
    x[labels != 1, :, :, :6] += 150
    x[labels != 0, :, :, 12:] += 150
    return torch.from_numpy(x), labels


def by_sides(x):
    left, right = x[:, 0, :, :6].float().mean((1, 2)), x[:, 0, :, 12:].float().mean((1, 2))
    return torch.stack([left - right, right - left, torch.minimum(left, right) - 60], 1)


def test_a_mirror_changes_two_of_three_classes():
    x, labels = pictures()
    found = label_safety(Policy.parse("flip,brightness=0.1,rotate=5"), x, labels, CLASSES, by_sides)
    assert [(one.class_name, one.transform) for one in found] == [
        (name, word) for name in CLASSES for word in ("flip", "brightness", "rotate")
    ]
    flagged = {(one.class_name, one.transform): one.becomes for one in found if one.flagged}
    assert flagged == {("left", "flip"): "right", ("right", "flip"): "left"}
    assert {one.samples for one in found} == {30}
    assert {one.changed for one in found if one.transform == "flip"} == {0.0, 1.0}
    spared = label_safety(Policy.parse("flip; left,right: flip=0"), x, labels, CLASSES, by_sides)
    assert [(one.class_name, one.flagged) for one in spared] == [("both", False)]


def test_what_is_unsure_anyway_is_not_flagged():
    x, labels = pictures()
    rng = np.random.default_rng(1)
    found = label_safety(Policy.parse("brightness=0.1"), x, labels, CLASSES, lambda x: rng.random((len(x), 3)))
    assert all(one.base > 0.4 for one in found)
    assert not any(one.flagged for one in found if one.base > one.changed - 0.1)


def test_random_choices_are_looked_at_one_by_one():
    x, labels = pictures(10)
    found = label_safety(Policy.parse("trivialaugment"), x, labels, CLASSES, by_sides, repeats=1)
    assert {one.transform for one in found} >= {"rotate", "shift", "equalize"}


def test_what_is_refused():
    x, labels = pictures(2)
    with pytest.raises(ShapeError) as error:
        label_safety(Policy.parse("flip"), x, labels, CLASSES, lambda x: torch.zeros(len(x), 5))
    assert str(error.value) == "label_safety: posteriors gave (6, 5), expected (batch, classes) = (6, 3)."
    with pytest.raises(DataError) as error:
        label_safety(Policy.parse("flip"), x[:0], labels[:0], CLASSES, by_sides)
    assert str(error.value) == "label_safety: there are no samples."


@pytest.mark.parametrize("shape", [(1, 9, 14), (3, 20, 12), (2, 60), (1, 7, 8, 9)])
def test_the_page_has_a_row_per_class_and_a_column_per_view(shape):
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8))
    page = policy_page(Policy.parse("standard"), x, np.arange(3), ("a<b", "b", "c"), name="some data", views=4)
    assert page.count('<tr class="first">') == 3
    assert page.count("<td>") == 3 * 5
    assert "a&lt;b" in page
    assert "a<b" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)  # nothing from elsewhere
    assert "standard on some data" in page


def test_flags_are_in_the_page():
    x, labels = pictures()
    policy = Policy.parse("flip")
    found = label_safety(policy, x, labels, CLASSES, by_sides)
    page = policy_page(policy, x[:3], labels[:3], CLASSES, name="sides", sensitivities=found)
    assert "<td>left</td><td>flip</td><td>100%</td><td>0%</td><td>right</td>" in page
    calm = policy_page(policy, x[:3], labels[:3], CLASSES, name="sides", sensitivities=found[-1:])
    assert "sees every class as before" in calm


def test_the_montage_shows_the_samples_as_they_are_first():
    x, labels = pictures(1)
    canvas = np.asarray(policy_montage(Policy.parse("flip@1"), x, labels, CLASSES, views=2))
    high, wide = 12 * 4, 18 * 4
    first = canvas[22 : 22 + high, 110 : 110 + wide]
    assert np.array_equal(first[::4, ::4, 0], x[0, 0].numpy())
    second = canvas[22 : 22 + high, 110 + wide + 12 : 110 + 2 * wide + 12]
    assert np.array_equal(second[::4, ::4, 0], x[0, 0].flip(-1).numpy())
