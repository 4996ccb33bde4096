"""The same sample is changed alike in any batch, number of threads and processes, from memory and from a stream."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from lenrek.data.arrays import array_source
from lenrek.data.augmentation import Policy
from lenrek.data.augmentation.augmenter import Augmenter, SampleOthers
from lenrek.data.load import load_samples
from lenrek.data.samples import Batch
from lenrek.errors import ShapeError
from lenrek.kernels import library
from lenrek.models.contract import InputContract

ALL_2D = (
    "shift=0.1,rotate=20,scale=0.2,shear=8,perspective=0.1,crop=0.6,elastic=0.03@0.5,flip,brightness=0.3,contrast=0.3,"
    "gamma=0.3,saturation=0.4,hue=0.1,sharpness=0.5@0.5,blur=1@0.3,noise=0.05@0.4,poisson=0.05@0.3,salt_pepper=0.1@0.3,"
    "erase=0.3@0.5,superimpose=0.4@0.5; cat: rotate=3,noise=0"
)
ALL_1D = "shift=0.2,scale=0.2,gain=6,noise=0.02,blur=1@0.4,mask_time=0.2,mask_frequency=0.2,superimpose=0.3"
CLASSES = ("cat", "dog", "owl")


def augmenter_of(text, x, labels):
    source = array_source("a", x, labels)
    contract = InputContract(
        source.channels, tuple(x.shape[2:] if x.ndim > 2 else x.shape[1:]), (0.0,) * source.channels,
        (1.0,) * source.channels, source.classes,
    )  # fmt: skip
    samples = load_samples(source, contract)
    return Augmenter(Policy.parse(text), CLASSES, 7, SampleOthers(samples, np.arange(len(x)))), samples


@pytest.mark.parametrize(
    ("text", "shape"), [(ALL_2D, (50, 3, 14, 20)), (ALL_1D, (50, 300)), ("trivialaugment", (50, 3, 14, 20))]
)
def test_batches_split_differently_are_changed_alike(text, shape):
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = np.arange(50) % 3
    augmenter, samples = augmenter_of(text, x, labels)

    def whole(batch_size, order, epoch=3):
        found = {}
        for batch in samples.batches(order, batch_size):
            for index, sample in zip(batch.index.tolist(), augmenter.apply(batch, epoch), strict=True):
                found[index] = sample
        return torch.stack([found[index] for index in sorted(found)])

    reference = whole(50, np.arange(50))
    for batch_size in (1, 7, 32):
        assert torch.equal(whole(batch_size, np.random.default_rng(batch_size).permutation(50)), reference)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert torch.equal(whole(13, np.arange(50)), reference)
    finally:
        torch.set_num_threads(threads)
    assert (whole(50, np.arange(50), epoch=4) != reference).flatten(1).any(1).float().mean() > 0.9
    seeded = replace(augmenter, seed=8)
    batch = next(samples.batches(np.arange(50), 50))
    assert (seeded.apply(batch, 3) != reference).flatten(1).any(1).float().mean() > 0.9


def test_another_process_draws_the_same():
    code = f"""
import numpy as np, torch
from lenrek.data.augmentation import Policy
x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (12, 3, 14, 20), dtype=np.uint8))
y = Policy.parse({ALL_2D!r}).apply(x, np.arange(12), 5, 6, np.arange(12) % 3, {CLASSES!r})
print(y.flatten().tolist())
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    namespace: dict = {}
    exec(code.replace("print(", "found = ("), namespace)
    assert result.stdout == f"{namespace['found']}\n"


def test_a_damaged_partner_is_left_out():
    class Some:
        index = np.arange(4)

        def __init__(self, readable):
            self.readable = readable

        def batches(self, order, batch_size):
            wanted = order[np.isin(order, self.readable)]
            if len(wanted):
                yield Batch(torch.full((len(wanted), 1, 2, 2), 1.0), torch.zeros(len(wanted)), wanted, wanted)

    x = torch.zeros(40, 1, 2, 2)
    policy = Policy.parse("superimpose=0.5")
    for readable, changed in ((np.arange(4), 40), (np.array([2]), None), (np.array([0]), None)):
        y = policy.apply(x, np.arange(40), 0, 0, others=SampleOthers(Some(readable), np.arange(4)))
        number = int(y.flatten(1).any(1).sum())
        assert number == changed if changed else 2 <= number <= 20


@pytest.mark.skipif(not library.available(), reason="no kernels")
def test_without_kernels_it_is_the_same_but_for_rounding():
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (12, 3, 14, 20), dtype=np.uint8))
    policy = Policy.parse("rotate=20,scale=0.2,elastic=0.03,brightness=0.3,contrast=0.2,saturation=0.4,hue=0.1")
    fast = policy.apply(x, np.arange(12), 5, 6)
    with library.using(None):
        plain = policy.apply(x, np.arange(12), 5, 6)
    assert (fast.int() - plain.int()).abs().float().mean() < 0.05
    assert (fast != plain).float().mean() < 0.03


def test_types_that_are_not_stored():
    with pytest.raises(ShapeError) as error:
        Policy.parse("rotate=5").apply(torch.zeros(1, 1, 4, 5, dtype=torch.int32), np.arange(1), 0, 0)
    assert str(error.value) == "augmentation: x is int32, but one of uint8, int16, float32 is expected."


def test_nothing_is_changed_in_place_and_empty_batches_pass():
    x = torch.rand(5, 3, 12, 15)
    for word in ALL_2D.split(";")[0].split(","):
        before = x.clone()
        y = Policy.parse(word.split("@")[0]).apply(x, np.arange(5), 0, 1)
        assert torch.equal(x, before), word
        assert (y - x).abs().max() > 1e-4, word
    assert Policy.parse("strong").apply(x[:0], np.arange(0), 0, 0).shape == (0, 3, 12, 15)
