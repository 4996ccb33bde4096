"""Policies as texts and objects: round trips, rules for classes, ready ones, and every refusal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lenrek.data.augmentation import Policy, Rule, Step
from lenrek.data.augmentation.ready import CHOICES, NAMES, READY
from lenrek.data.augmentation.transforms import TRANSFORMS
from lenrek.errors import OptionError


def some_step(names):
    def with_amount(name):
        transform = TRANSFORMS[name]
        chances = st.none() | st.floats(0.01, 1)
        if not transform.takes_amount:
            return st.builds(Step, st.just(name), st.none(), chances)
        return st.builds(Step, st.just(name), st.floats(1e-3, transform.most * 0.999), chances)

    return st.sampled_from(names).flatmap(with_amount)


def some_steps():
    return st.lists(some_step(sorted(TRANSFORMS)), max_size=5, unique_by=lambda step: step.name).map(tuple)


@st.composite
def policies(draw):
    steps = draw(some_steps())
    classes = draw(st.lists(st.text(min_size=1, max_size=8), max_size=4, unique=True))
    rules = tuple(
        Rule((name,), draw(some_steps().filter(bool)))  # one rule each: no class has two
        for name in classes
    )
    moves = any(TRANSFORMS[step.name].geometric and not step.name.startswith("flip") for step in steps)
    boundary = draw(st.sampled_from([None, "reflect", "zeros", 0.25, 3])) if moves else None
    return Policy(draw(st.sampled_from(NAMES)), steps, rules, boundary)


@given(policies())
def test_text_round_trips(policy):
    assert Policy.parse(str(policy)) == policy


@pytest.mark.parametrize(
    "text",
    [
        "none", "shift=0.125", "flip", "shift=0.25,flip", "standard", "standard,hue=0; 6,9: flip=0",
        "rotate=15@0.5,scale=0.1,boundary=reflect,interpolation=cubic", "randaugment,count=3,level=12",
        'light; "a,b","c:d": shift=0.2', "none; 7: rotate=10",
    ],
)  # fmt: skip
def test_text_is_what_it_was(text):
    assert str(Policy.parse(text)) == text
    spaced = text.replace(",", " , ").replace(";", " ;  ") if '"' not in text else f" {text} "
    assert Policy.parse(spaced) == Policy.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flop", "'flop': 'flop' is no policy and no transform.\n  Hint: did you mean flip?"),
        ("standart", "'standart': 'standart' is no policy and no transform.\n  Hint: did you mean standard?"),
        ("", "'': '' is no policy and no transform.\n  Hint: for example standard, or shift=0.1,rotate=10,flip."),
        ("shift", "shift: a fraction of the axis is expected, for example shift=0.05."),
        ("shift=4", "shift=4: a fraction of the axis is expected, 0 < shift < 1."),
        ("rotate=181", "rotate=181: degrees is expected, 0 < rotate ≤ 180."),
        ("rotate=nan", "rotate=nan: degrees is expected, 0 < rotate ≤ 180."),
        ("shift=x", "'shift=x': shift is 'x', but a number is expected."),
        (
            "flip=1",
            "flip=1: flip has no amount, only a chance.\n"
            "  Hint: flip@0.3 does it to 30 % of the samples, flip=0 to none.",
        ),
        ("flip@2", "flip@2: the chance is 2, but 0 < chance ≤ 1 is expected."),
        ("flip,flip", "flip is said twice."),
        ("flip=0", "flip=0 has no effect: nothing does flip."),
        ("standard; 6: blur=0", "6: blur=0: blur=0 has no effect: nothing does blur."),
        ("standard; 6: flip=0; 6: hue=0", "class 6 has two rules."),
        ("flip,standard", "'flip,standard': standard is a whole policy, and comes first."),
        (
            "standard; flip=0",
            "'standard; flip=0': the rule 'flip=0' is not of the form CLASS,CLASS: TRANSFORM,TRANSFORM.\n"
            "  Hint: for example standard; 6,9: flip=0",
        ),
        ("flip,boundary=reflect", "boundary=reflect: has no effect, as nothing moves samples."),
        ("shift=0.1,interpolation=cubic",
         "interpolation=cubic: has no effect, as samples are moved by whole steps only."),
        ("rotate=5,interpolation=qubic",
         "interpolation is 'qubic', expected one of nearest, linear, cubic.\n  Hint: did you mean cubic?"),
        ("standard,level=3", "level=3: has no effect without randaugment."),
        ("randaugment,level=31", "level=31: expected 1 ≤ level ≤ 30."),
        ("randaugment,level=x", "'randaugment,level=x': level is 'x', but a whole number is expected."),
    ],
)  # fmt: skip
def test_text_that_means_nothing(text, message):
    with pytest.raises(OptionError) as error:
        Policy.parse(text)
    assert str(error.value).removeprefix("augmentation").lstrip(": ") == message


@pytest.mark.parametrize(
    ("text", "channels", "size", "message"),
    [
        ("flip", 1, (30,), "flip: signals have no left and right.\n  Hint: leave flip out."),
        ("rotate=5", 1, (30,), "rotate: signals have one axis, and nothing to turn in.\n  Hint: leave rotate out."),
        ("brightness=0.1", 2, (30,),
         "brightness: signals have no brightness.\n  Hint: gain, in decibels, makes them louder or softer."),
        ("gain=3", 3, (8, 9), "gain: only signals have a loudness.\n  Hint: brightness is what images have."),
        ("hue=0.1", 1, (8, 9), "hue: colours need 3 channels, but samples have 1.\n  Hint: leave hue out."),
        ("flip_depth", 1, (8, 9), "flip_depth: only volumes have a front and a back.\n  Hint: leave flip_depth out."),
        ("shift=0.05", 1, (8, 12), "shift=0.05: 0.05 · 12 = 0.6 is less than one sample."),
        ("randaugment,count=5", 1, (8, 9, 10), "")
    ],
)  # fmt: skip
def test_what_has_no_meaning_for_the_samples(text, channels, size, message):
    policy = Policy.parse(text)
    if not message:
        policy.check(channels, size)
        return
    for use in (lambda: policy.check(channels, size), lambda: policy.apply(torch.zeros(2, channels, *size),
                                                                           np.arange(2), 0, 0)):  # fmt: skip
        with pytest.raises(OptionError) as error:
            use()
        assert str(error.value) == f"augmentation {message}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("channels", "size"), [(3, (9, 20)), (1, (8, 8)), (1, (50,)), (2, (40,)), (1, (8, 9, 10))])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float32])
def test_ready_policies_do_to_every_kind_what_means_something(name, channels, size, dtype):
    x = torch.rand(12, channels, *size)
    x = x if dtype == torch.float32 else (x * 255).to(dtype)
    policy = Policy.parse(name)
    policy.check(channels, size)
    before, y = x.clone(), policy.apply(x, np.arange(12), 1, 2)
    assert (y.shape, y.dtype) == (x.shape, dtype)
    assert torch.isfinite(y.float()).all()
    assert torch.equal(x, before)
    changed = (y != x).flatten(1).any(1).float().mean()
    assert changed == 0 if name == "none" else changed > 0.4
    assert (y is x) == (name == "none")
    assert policy.describe(channels, size).endswith(".")


def test_every_ready_text_can_be_read():
    for texts in (READY | CHOICES).values():
        for text in texts.values():
            assert not text or str(Policy.parse(text)) == text


def test_descriptions():
    assert Policy().describe(1, (8, 9)) == "Training samples are used as they are, without augmentation."
    assert Policy.parse("shift=0.1,flip").describe(1, (28, 29)) == (
        "In every epoch each training sample is shifted by up to 10 % along each axis (edges repeated) "
        "and mirrored left to right with probability 1/2."
    )
    assert Policy.parse("shift=0.1,boundary=circular; 6: rotate=9@0.2").describe(1, (28, 29)) == (
        "In every epoch each training sample is shifted by up to 10 % along each axis (boundary circular). "
        "For 6: rotate=9@0.2."
    )
    assert Policy.parse("randaugment").describe(1, (28, 28)) == (
        "In every epoch each training sample is changed in 2 of 10 ways, at level 9 of 30 (randaugment)."
    )


def test_rules_are_for_their_classes_alone():
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (90, 1, 7, 11), dtype=np.uint8))
    labels, classes = np.arange(90) % 3, ("4", "6", "9")
    policy = Policy.parse("shift=0.2,flip@1; 6,9: flip=0; 4: shift=0")
    y = policy.apply(x, np.arange(90), 3, 1, labels, classes)
    assert torch.equal(y[labels == 0], x[labels == 0].flip(-1))
    shifted = Policy.parse("shift=0.2").apply(x, np.arange(90), 3, 1)
    assert torch.equal(y[labels > 0], shifted[labels > 0])
    other = policy.apply(x, np.arange(90), 3, 1, np.zeros(90, int), ("one",) * 0 or classes)
    assert torch.equal(other, x.flip(-1))


def test_rules_need_labels_and_known_classes():
    policy = Policy.parse("flip; sneaker: flip=0")
    with pytest.raises(OptionError) as error:
        policy.check(1, (4, 5), ("Bag", "Sneaker"))
    assert str(error.value) == (
        "augmentation sneaker: flip=0: no class is called 'sneaker'.\n  Hint: did you mean Sneaker?"
    )
    with pytest.raises(OptionError) as error:
        policy.apply(torch.zeros(1, 1, 4, 5), np.arange(1), 0, 0)
    assert str(error.value) == (
        "augmentation flip; sneaker: flip=0: its rules are for classes, so that labels and the classes' names are "
        "needed."
    )


def test_random_choices_are_of_the_number_asked_for():
    from lenrek.data.augmentation.apply import drawn_for

    for text, count in (("randaugment,count=3,level=30", 3), ("trivialaugment", 1)):
        drawn = drawn_for(Policy.parse(text), 3, (32, 40), np.arange(600), 0, 0, None, ())
        on = np.stack([drawn.on(name) for name in drawn.amount])
        assert on.sum(0).max() == count
        if count == 3:
            assert (on.sum(0) == 3).all()
            assert set(np.abs(drawn.signed("rotate")[drawn.on("rotate")]).round(9)) == {30}
        assert len(drawn.amount) == 11
        assert on.sum(1).min() > 600 * count / 11 * 0.6
