"""Orders and weights of balanced classes, by counting."""

import re
from itertools import pairwise

import numpy as np
import pytest

from lenrek.data.augmentation import Policy
from lenrek.errors import OptionError
from lenrek.training.balance import ClassBalance

COUNTS = {"a": 37, "b": 5, "c": 0, "d": 11}
LABELS = np.random.default_rng(1).permutation(np.repeat([0, 1, 3], [37, 5, 11]))
INDEX = np.sort(np.random.default_rng(2).permutation(200)[:53])


def balance(mode: str, seed: int = 7) -> ClassBalance:
    return ClassBalance(mode, INDEX, LABELS, tuple(COUNTS), seed)


def per_class(order: np.ndarray) -> list[int]:
    label = dict(zip(INDEX.tolist(), LABELS.tolist(), strict=True))
    return np.bincount([label[one] for one in order.tolist()], minlength=4).tolist()


def per_sample(order: np.ndarray, label: int) -> list[int]:
    """How often each sample of a class comes, sorted."""
    return sorted((order == one).sum() for one in INDEX[np.equal(LABELS, label)])


@pytest.mark.parametrize("mode", ["none", "loss"])
def test_every_sample_once(mode: str) -> None:
    assert sorted(balance(mode).order(3).tolist()) == INDEX.tolist()
    assert balance(mode).num_samples == 53


def test_weights_are_inverse_to_frequency_and_one_on_average() -> None:
    weights = balance("loss").class_weights
    assert weights is not None
    np.testing.assert_allclose(weights, [53 / (3 * 37), 53 / (3 * 5), 0, 53 / (3 * 11)])
    assert weights[LABELS].mean() == pytest.approx(1)
    assert balance("none").class_weights is None
    assert balance("sampling").class_weights is None


def test_sampling_keeps_the_length_and_evens_the_classes() -> None:
    wanted = balance("sampling")
    more = set()
    for epoch in range(12):
        order = wanted.order(epoch)
        assert len(order) == wanted.num_samples == 53
        counts = per_class(order)
        assert sorted(counts) == [0, 17, 18, 18]
        assert counts[2] == 0
        more.add(counts.index(17))
        assert set(per_sample(order, 0)) == {0, 1}  # of the large class some are left out
        for label, number in ((1, 5), (3, 11)):
            each, over = divmod(counts[label], number)
            assert per_sample(order, label) == [each] * (number - over) + [each + 1] * over
    assert more == {0, 1, 3}  # which class has one less is drawn, too
    seen = np.unique(np.concatenate([wanted.order(epoch) for epoch in range(12)]))
    assert seen.tolist() == INDEX.tolist()  # none is left out for ever


def test_synthesis_keeps_all_and_fills_up_to_the_largest_class() -> None:
    wanted = balance("synthesis")
    order = wanted.order(4)
    assert per_class(order) == [37, 37, 0, 37]
    assert len(order) == wanted.num_samples == 111
    assert per_sample(order, 0) == [1] * 37
    assert per_sample(order, 1) == [7, 7, 7, 8, 8]  # 37 = 7 · 5 + 2
    assert per_sample(order, 3) == [3] * 7 + [4] * 4


@pytest.mark.parametrize("mode", ["sampling", "synthesis"])
def test_orders_are_of_seed_and_epoch_and_mixed(mode: str) -> None:
    orders = [tuple(balance(mode, seed).order(epoch)) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4
    assert orders[3] == tuple(balance(mode, 1).order(1))
    label = dict(zip(INDEX.tolist(), LABELS.tolist(), strict=True))
    shown = [label[one] for one in orders[0]]
    assert sum(a != b for a, b in pairwise(shown)) > len(shown) / 2  # not class by class


def test_equal_classes_cannot_be_balanced() -> None:
    equal = ClassBalance("sampling", np.arange(6), np.array([0, 1, 0, 1, 1, 0]), ("a", "b"), 0)
    message = "train: balance sampling has no effect: each class has 3 training samples.\n  Hint: leave it out."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        equal.check(Policy(), 1, (8, 8))
    ClassBalance("none", equal.index, equal.labels, equal.classes, 0).check(Policy(), 1, (8, 8))


@pytest.mark.parametrize(
    ("policy", "who"),
    [("none", "b"), ("none; a,b: rotate=9", "d"), ("light; b: rotate=0,shift=0,scale=0,brightness=0,contrast=0", "b")],
)
def test_synthesis_without_augmentation_would_only_repeat(policy: str, who: str) -> None:
    message = (
        f"train: balance synthesis makes more samples of {who} by augmentation, but augmentation "
        f"{Policy.parse(policy)} leaves them as they are.\n  Hint: pass --augment standard, or --balance sampling."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        balance("synthesis").check(Policy.parse(policy), 1, (30, 40))


def test_synthesis_where_all_that_come_again_are_changed() -> None:
    balance("synthesis").check(Policy.parse("none; b,d: rotate=9"), 1, (30, 40))  # a comes once, as it is
    balance("synthesis").check(Policy.parse("randaugment"), 1, (30, 40))


def test_said_aloud() -> None:
    counts = "37 of a, 11 of d, 5 of b, 0 of c"
    chosen = "The epoch is chosen on balanced validation accuracy."
    assert balance("none").describe() == (
        f"The classes are unequal, {counts}: the rarer, the less a class counts. "
        "With --balance loss, sampling or synthesis all count alike."
    )
    assert balance("loss").describe() == (
        "Balanced by loss: each sample's loss is weighted by the rarity of its class, from 0.477 (a) to 3.53 (b), 1 on "
        f"average; training samples are {counts}. {chosen}"
    )
    assert balance("sampling").describe() == (
        "Balanced by sampling: of the 53 samples of an epoch 17 or 18 are of each class; training samples are "
        f"{counts}. {chosen}"
    )
    assert balance("synthesis").describe() == (
        "Balanced by synthesis: samples of rarer classes come again, each time changed differently, until each class "
        f"has 37, so that an epoch has 111 samples; training samples are {counts}. {chosen}"
    )


def test_no_advice_where_classes_are_nearly_equal() -> None:
    for few, said in ((4, False), (3, True)):
        labels = np.repeat([0, 1], [12, few])
        sentence = ClassBalance("none", np.arange(len(labels)), labels, ("a", "b"), 0).describe()
        assert bool(sentence) == said


def test_of_many_classes_the_largest_and_the_smallest_are_named() -> None:
    labels = np.repeat(np.arange(30), np.arange(30, 0, -1))
    many = ClassBalance("none", np.arange(len(labels)), labels, tuple(f"k{i}" for i in range(30)), 0)
    assert many.describe().startswith("The classes are unequal, 30 of k0 to 1 of k29: ")
