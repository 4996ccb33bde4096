import numpy as np
import pytest
import torch

from lenrek.data.augment import Augmentation, draw
from lenrek.errors import OptionError


def batch(*shape):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


@pytest.mark.parametrize("text", ["none", "shift=0.125", "flip", "shift=0.25,flip"])
def test_text_round_trips(text):
    assert str(Augmentation.parse(text)) == text
    assert Augmentation.parse(f" {text.replace(',', ' , ')}".strip()) == Augmentation.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flop", "augmentation 'flop': 'flop' is not one of none, shift, flip.\n  Hint: did you mean flip?"),
        ("", "augmentation '': '' is not one of none, shift, flip.\n  Hint: for example shift=0.125,flip"),
        ("shift", "augmentation 'shift': shift is '', but a fraction of the axis is expected, 0 < shift < 1."),
        ("shift=4", "augmentation 'shift=4': shift is '4', but a fraction of the axis is expected, 0 < shift < 1."),
        ("shift=x", "augmentation 'shift=x': shift is 'x', but a fraction of the axis is expected, 0 < shift < 1."),
        ("flip=1", "augmentation 'flip=1': flip takes no value, but '1' was given."),
        ("flip,flip", "augmentation 'flip,flip': flip is said twice."),
    ],
)
def test_text_that_means_nothing(text, message):
    with pytest.raises(OptionError) as error:
        Augmentation.parse(text)
    assert str(error.value) == message


def test_descriptions():
    assert Augmentation().describe() == "Training samples are used as they are, without augmentation."
    assert Augmentation(0.1, True).describe() == (
        "In every epoch each training sample is shifted by up to 10 % along each axis (edges repeated) "
        "and mirrored left to right with probability 1/2."
    )


def shifted_oracle(sample, offsets):
    """sample (channels, *size) read at position + offset, the nearest one inside where that is outside."""
    for axis, offset in enumerate(offsets, start=1):
        positions = np.clip(np.arange(sample.shape[axis]) + offset, 0, sample.shape[axis] - 1)
        sample = np.take(sample, positions, axis)
    return sample


@pytest.mark.parametrize("shape", [(60, 2, 17), (60, 3, 16, 9), (60, 1, 5, 8, 12)])
def test_a_shift_is_by_whole_samples_up_to_the_fraction_along_every_axis(shape):
    x, index = batch(*shape), np.arange(100, 160)
    y = Augmentation(shift=0.25).apply(x, index, seed=3, epoch=1).numpy()
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
    y = Augmentation(flip=True).apply(x, np.arange(400), seed=0, epoch=0)
    same = (y == x).flatten(1).all(1)
    mirrored = (y == x.flip(-1)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 160 < mirrored.sum() < 240  # 200 ± 4 standard deviations of 10
    assert torch.equal(x, before)


def test_both_together_are_one_after_the_other():
    x, index = batch(50, 1, 8, 12), np.arange(50)
    once = Augmentation(shift=0.25).apply(x, index, seed=5, epoch=2)
    both = Augmentation(shift=0.25, flip=True).apply(x, index, seed=5, epoch=2)
    assert torch.equal(both, Augmentation(flip=True).apply(once, index, seed=5, epoch=2))


def test_a_sample_is_changed_alike_in_any_batch_and_differently_in_every_epoch():
    augmentation = Augmentation(shift=0.3, flip=True)
    x, index = batch(64, 3, 10, 20), np.arange(1000, 1064)
    whole = augmentation.apply(x, index, seed=7, epoch=4)
    some = np.array([40, 3, 17])
    assert torch.equal(augmentation.apply(x[some], index[some], seed=7, epoch=4), whole[some])
    for other in ({"seed": 8, "epoch": 4}, {"seed": 7, "epoch": 5}):
        changed = (augmentation.apply(x, index, **other) != whole).flatten(1).any(1)
        assert changed.float().mean() > 0.9


def test_nothing_to_do_is_no_copy():
    x = batch(2, 1, 3, 4)
    assert Augmentation().apply(x, np.arange(2), 0, 0) is x


def test_what_has_no_meaning_or_no_effect_is_refused():
    with pytest.raises(OptionError) as error:
        Augmentation(flip=True).apply(batch(2, 1, 30), np.arange(2), 0, 0)
    assert str(error.value) == "augmentation flip: signals have no left and right.\n  Hint: leave flip out."
    with pytest.raises(OptionError) as error:
        Augmentation(shift=0.05).apply(batch(2, 1, 8, 12), np.arange(2), 0, 0)
    assert str(error.value) == "augmentation shift=0.05: 0.05 · 12 = 0.6 is less than one sample."


def test_draws_are_uniform_and_independent():
    index = np.arange(20_000)
    draws = {key: draw(*key[:2], index, key[2]) for key in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (-1, 0, 0)]}
    for values in draws.values():
        assert 0 <= values.min() < values.max() < 1
        counts = np.histogram(values, 20, (0, 1))[0]
        assert ((counts - 1000) ** 2 / 1000).sum() < 50  # χ² with 19 degrees of freedom: p < 0.0002
    matrix = np.corrcoef(list(draws.values()))
    assert np.abs(matrix[~np.eye(len(matrix), dtype=bool)]).max() < 0.03  # 4 / √20000


def test_splitmix64_published_sequence():
    # The reference implementation's first outputs from state 1234567, which advances by the golden gamma.
    from lenrek.data.augment import _splitmix64

    state = np.array([1234567], np.uint64)
    gamma = np.uint64(0x9E3779B97F4A7C15)
    outputs = []
    for _ in range(3):
        outputs.append(int(_splitmix64(state)[0]))
        state = state + gamma
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]
