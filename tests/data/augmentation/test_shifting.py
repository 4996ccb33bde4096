"""Whole steps and mirrors: values are copied, as what was drawn says."""

import numpy as np
import pytest
import torch

from lenrek.data.augmentation import Policy
from lenrek.data.augmentation.apply import drawn_for
from lenrek.data.augmentation.spatial import maps
from lenrek.ops import pad


def batch(*shape):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def shifted_oracle(sample, offsets):
    """sample (channels, *size) read at position + offset, the nearest one inside where that is outside."""
    for axis, offset in enumerate(offsets, start=1):
        positions = np.clip(np.arange(sample.shape[axis]) + offset, 0, sample.shape[axis] - 1)
        sample = np.take(sample, positions, axis)
    return sample


@pytest.mark.parametrize("shape", [(60, 2, 17), (60, 3, 16, 9), (60, 1, 5, 8, 12)])
def test_a_shift_is_by_whole_samples_up_to_the_fraction_along_every_axis(shape):
    x, index = batch(*shape), np.arange(100, 160)
    y = Policy.parse("shift=0.25").apply(x, index, seed=3, epoch=1).numpy()
    assert y.dtype == np.uint8
    reach = [int(0.25 * samples) for samples in shape[2:]]
    seen, together = [set() for _ in reach], set()
    for before, after in zip(x.numpy(), y, strict=True):
        candidates = np.ndindex(*(2 * r + 1 for r in reach))
        offsets = [tuple(np.subtract(c, reach)) for c in candidates]
        matches = [o for o in offsets if np.array_equal(shifted_oracle(before, o), after)]
        assert len(matches) == 1
        together.add(matches[0])
        for axis, offset in enumerate(matches[0]):
            seen[axis].add(offset)
    assert seen == [set(range(-r, r + 1)) for r in reach]  # 60 samples: every offset occurs
    if len(reach) > 1:
        assert len(together) > 1.5 * max(len(offsets) for offsets in seen)  # the axes are drawn independently


def test_a_flip_mirrors_the_last_axis_of_about_half():
    x = batch(400, 3, 4, 5)
    before = x.clone()
    y = Policy.parse("flip").apply(x, np.arange(400), seed=0, epoch=0)
    same = (y == x).flatten(1).all(1)
    mirrored = (y == x.flip(-1)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 160 < mirrored.sum() < 240  # 200 ± 4 standard deviations of 10
    assert torch.equal(x, before)


def test_both_together_are_one_after_the_other():
    x, index = batch(50, 1, 8, 12), np.arange(50)
    once = Policy.parse("shift=0.25").apply(x, index, seed=5, epoch=2)
    both = Policy.parse("shift=0.25,flip").apply(x, index, seed=5, epoch=2)
    assert torch.equal(both, Policy.parse("flip").apply(once, index, seed=5, epoch=2))


def test_a_sample_is_changed_alike_in_any_batch_and_differently_in_every_epoch():
    policy = Policy.parse("shift=0.3,flip")
    x, index = batch(64, 3, 10, 20), np.arange(1000, 1064)
    whole = policy.apply(x, index, seed=7, epoch=4)
    some = np.array([40, 3, 17])
    assert torch.equal(policy.apply(x[some], index[some], seed=7, epoch=4), whole[some])
    for other in ({"seed": 8, "epoch": 4}, {"seed": 7, "epoch": 5}):
        changed = (policy.apply(x, index, **other) != whole).flatten(1).any(1)
        assert changed.float().mean() > 0.9


def test_nothing_to_do_is_no_copy():
    x = batch(2, 1, 3, 4)
    assert Policy().apply(x, np.arange(2), 0, 0) is x


@pytest.mark.parametrize("boundary", ["zeros", 7, "reflect", "symmetric", "circular"])
def test_boundaries_are_those_of_the_operators(boundary):
    x, index = batch(40, 2, 9, 14), np.arange(40)
    policy = Policy.parse(f"shift=0.25,boundary={boundary}")
    padded = pad(x, [2, 3], boundary)
    windows = {(i, j): padded[:, :, i : i + 9, j : j + 14] for i, j in np.ndindex(5, 7)}
    y = policy.apply(x, index, seed=2, epoch=0)
    for sample in range(40):
        assert any(torch.equal(y[sample], window[sample]) for window in windows.values())


@pytest.mark.parametrize(("word", "axis"), [("flip", -1), ("flip_vertical", -2), ("flip_depth", -3)])
def test_each_flip_has_its_axis(word, axis):
    x = batch(60, 2, 3, 4, 5)
    y = Policy.parse(f"{word}@0.3").apply(x, np.arange(60), seed=0, epoch=0)
    mirrored = (y == x.flip(axis)).flatten(1).all(1)
    assert (mirrored | (y == x).flatten(1).all(1)).all()
    assert 6 <= mirrored.sum() <= 30  # 18 ± 3.5 standard deviations


def test_the_resampler_gives_the_same_whole_steps():
    x, index = batch(30, 3, 12, 17), np.arange(30)
    policy = Policy.parse("shift=0.25,flip,flip_vertical")
    drawn = drawn_for(policy, 3, (12, 17), index, 4, 2, None, ())
    moved = maps(drawn, (12, 17)).samples(x, "replicate", "linear")
    assert torch.equal(moved, policy.apply(x, index, seed=4, epoch=2))
