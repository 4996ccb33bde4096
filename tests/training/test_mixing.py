"""Mixup and CutMix against NumPy, written out; and a training that mixes against its plain form."""

import itertools
import math

import numpy as np
import pytest
import torch

from lenrek.errors import OptionError
from lenrek.training.config import TrainConfig
from lenrek.training.mixing import Mixer, cut_box
from lenrek.training.ratio import Ratio

SIZES = [(23,), (12, 17), (7, 9, 11)]
OWN, OTHER = np.array([0, 2, 3, 5]), np.array([2, 3, 5, 0])


def batch(size: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(len(size))
    return torch.from_numpy(random.normal(size=(6, 2, *size)).astype(np.float32)), torch.tensor([3, 0, 1, 2, 4, 3])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ratio", [Ratio(0.3, fixed=True), Ratio(0.7)])
def test_mixup_averages_samples_and_labels(size: tuple[int, ...], ratio: Ratio) -> None:
    x, labels = batch(size)
    before = x.double().numpy()
    mixed, targets = Mixer(ratio, None, 5).mix(x, labels, OWN, OTHER, 2, 7)
    share = targets.share
    assert share == 0.3 if ratio.fixed else 0 < share < 1
    for row, (own, other) in enumerate(zip(OWN, OTHER, strict=True)):
        np.testing.assert_allclose(mixed[row], share * before[own] + (1 - share) * before[other], atol=1e-6)
    assert targets.labels.tolist() == [3, 1, 2, 3]
    assert targets.mixed_in is not None
    assert targets.mixed_in.tolist() == [1, 2, 3, 3]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.2, 0.6, 0.85])
def test_cutmix_takes_one_box_and_counts_its_samples(size: tuple[int, ...], share: float) -> None:
    x, labels = batch(size)
    before = x.numpy().copy()
    largest = [math.floor(length * (1 - share) ** (1 / len(size))) for length in size]
    shares = []
    for step in range(60):
        mixed, targets = Mixer(None, Ratio(share, fixed=True), 1).mix(x.clone(), labels, OWN, OTHER, 0, step)
        masks = []
        for row, (own, other) in enumerate(zip(OWN, OTHER, strict=True)):
            is_own, is_other = mixed[row].numpy() == before[own], mixed[row].numpy() == before[other]
            assert (is_own ^ is_other).all()
            assert (is_other == is_other[:1]).all()  # the same place in every channel
            masks.append(is_other[0])
        assert all((mask == masks[0]).all() for mask in masks)
        where = np.argwhere(masks[0])
        assert targets.share == pytest.approx(1 - masks[0].mean())
        shares.append(targets.share)
        if len(where):
            sides = where.max(0) - where.min(0) + 1
            assert math.prod(sides) == masks[0].sum()  # one box without holes
            assert all(side <= most for side, most in zip(sides, largest, strict=True))
    assert min(shares) == pytest.approx(1 - math.prod(largest) / math.prod(size))  # a box that lies inside
    assert max(shares) > min(shares)  # one that is cut off


def test_the_centre_of_the_box_is_drawn_from_everywhere() -> None:
    """Frequencies of a 1-D box of 4 in 10: starts −2 … 7, cut to what is inside."""
    random = np.random.default_rng(0)
    found = [cut_box((10,), 0.6, random)[0] for _ in range(5000)]
    expected = {(max(c - 2, 0), min(c + 2, 10)) for c in range(10)}
    counts = {ends: sum((b.start, b.stop) == ends for b in found) for ends in expected}
    assert sum(counts.values()) == 5000
    assert all(400 < count < 600 for count in counts.values())


def test_both_take_turns_by_chance() -> None:
    x, labels = batch((12, 17))
    mixer = Mixer(Ratio(0.4), Ratio(0.5, fixed=True), 3)
    cut = 0
    for step in range(400):
        mixed, _ = mixer.mix(x.clone(), labels, OWN, OTHER, 1, step)
        unchanged = (mixed == x[OWN]) | (mixed == x[OTHER])
        cut += bool(unchanged.all())
    assert 150 < cut < 250


def test_draws_belong_to_seed_epoch_and_step() -> None:
    x, labels = batch((9,))
    shares = {
        key: Mixer(Ratio(1.0), None, key[0]).mix(x, labels, OWN, OTHER, key[1], key[2])[1].share
        for key in itertools.product((0, 1), (0, 1, 2), (0, 1, 2, 3))
    }
    assert len(set(shares.values())) == len(shares)
    again = Mixer(Ratio(1.0), None, 1).mix(x[:, :1], labels, OWN[:2], OTHER[:2], 2, 3)[1].share
    assert again == shares[1, 2, 3]


def test_none_where_nothing_is_asked_for() -> None:
    assert Mixer.of(TrainConfig("digits")) is None
    mixer = Mixer.of(TrainConfig("digits", cutmix="lambda=0.5", seed=4))
    assert mixer == Mixer(None, Ratio(0.5, fixed=True), 4)


def test_described() -> None:
    assert Mixer(Ratio(0.4), Ratio(0.5, fixed=True), 0).describe() == (
        "Each training sample is averaged with another one (mixup, λ drawn from Beta(0.4, 0.4) for every step) or "
        "given a box of another one (CutMix, λ = 0.5), drawn for every step with equal chances; its label by the same "
        "shares, by which training accuracy counts it, too."
    )


def test_a_box_of_nothing_is_refused() -> None:
    mixer = Mixer(Ratio(0.4), Ratio(0.997, fixed=True), 0)
    mixer.check((40, 19))  # 0.003 is 0.0548 along each axis
    with pytest.raises(OptionError) as info:
        mixer.check((40, 18))
    assert str(info.value) == (
        "train: cutmix lambda=0.997 has no effect: its box is ⌊40 · 0.0548⌋×⌊18 · 0.0548⌋ = 2×0 samples.\n"
        "  Hint: choose a smaller lambda."
    )
    Mixer(None, Ratio(0.001), 0).check((18, 18))
