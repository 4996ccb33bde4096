import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenrek.data.arrays import ArrayReader
from lenrek.data.source import Source
from lenrek.data.split import Split, split_source
from lenrek.errors import DataError, OptionError


def made(labels, groups=None, split=None, declared=False, names=None):
    labels = np.asarray(labels, np.int64)
    n = len(labels)
    classes = tuple("abcdefgh"[: labels.max() + 1])
    return Source(
        name="made", kind="image", reader=ArrayReader(np.zeros((n, 1, 2, 3), np.uint8)),
        names=[f"s{i:04}" for i in range(n)] if names is None else names, labels=labels, classes=classes, channels=1,
        sizes=np.full((n, 2), (2, 3)), groups=None if groups is None else np.asarray(groups), groups_declared=declared,
        split=None if split is None else np.asarray(split),
    )  # fmt: skip


def parts(split):
    return split.train, split.validation, split.test


def counts(source, part):
    return np.bincount(source.labels[part], minlength=len(source.classes)).tolist()


@given(
    sizes=st.lists(st.integers(3, 60), min_size=2, max_size=5),
    fractions=st.tuples(st.floats(0.01, 0.45), st.floats(0.01, 0.45)),
    seed=st.integers(0, 2**31),
)
def test_every_class_gives_its_share_to_every_part(sizes, fractions, seed):
    source = made(np.random.default_rng(seed).permutation(np.repeat(range(len(sizes)), sizes)))
    validation, test = fractions
    split = split_source(source, seed=seed, validation=validation, test=test)
    joined = np.concatenate(parts(split))
    assert sorted(joined.tolist()) == list(range(len(source)))
    for part, fraction in ((split.validation, validation), (split.test, test)):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
        for number, size in zip(counts(source, part), sizes, strict=True):
            assert 1 <= number <= max(1, round(size * fraction))
            if size >= 10:
                assert number == max(1, round(size * fraction))
    assert min(counts(source, split.train)) >= 1


def test_rounding_never_takes_the_last_sample_of_train():
    # 6 · 0.42 = 2.52 rounds to 3 for test and 3 for validation, which would leave none.
    source = made([0] * 6 + [1] * 6)
    split = split_source(source, validation=0.42, test=0.42)
    assert [counts(source, part) for part in parts(split)] == [[1, 1], [2, 2], [3, 3]]


def test_small_groups_are_left_for_the_parts_to_come():
    # Both groups of one sample fit into test together, but validation needs one.
    source = made([0] * 100 + [1] * 100, groups=np.repeat(range(6), [1, 1, 98] * 2), declared=True)
    for seed in range(10):
        split = split_source(source, seed=seed, validation=0.1, test=0.1)
        assert [counts(source, part) for part in parts(split)] == [[98, 98], [1, 1], [1, 1]]


def test_the_same_seed_draws_the_same_samples_in_any_order_of_files():
    source = made(np.arange(60) % 3)
    order = np.random.default_rng(1).permutation(60)
    shuffled = made(source.labels[order], names=[source.names[i] for i in order])
    for a, b in zip(parts(split_source(source, seed=5)), parts(split_source(shuffled, seed=5)), strict=True):
        assert sorted(source.names[i] for i in a) == sorted(shuffled.names[i] for i in b)
    assert split_source(source, seed=5).test.tolist() != split_source(source, seed=6).test.tolist()


def test_given_parts_are_honoured():
    given_parts = ["train"] * 20 + ["validation"] * 4 + ["test"] * 6
    split = split_source(made(np.arange(30) % 2, split=given_parts))
    assert [part.tolist() for part in parts(split)] == [[*range(20)], [20, 21, 22, 23], [*range(24, 30)]]


def test_a_missing_validation_part_is_drawn_from_train_only():
    split = split_source(made(np.arange(60) % 2, split=["train"] * 40 + ["test"] * 20), validation=0.2)
    assert split.test.tolist() == [*range(40, 60)]
    assert len(split.validation) == 8
    assert split.validation.max() < 40
    assert len(split.train) == 32


def test_samples_of_which_nothing_is_said_train():
    split = split_source(made(np.arange(60) % 2, split=["test"] * 20 + [""] * 40), validation=0.25)
    assert split.test.tolist() == [*range(20)]
    assert (len(split.validation), len(split.train)) == (10, 30)


def test_fraction_0_leaves_a_part_empty():
    split = split_source(made(np.arange(20) % 2), validation=0, test=0.25)
    assert (len(split.validation), len(split.test), len(split.train)) == (0, 4, 16)
    split = split_source(made(np.arange(20) % 2), validation=0, test=0)
    assert split.train.tolist() == [*range(20)]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=24, max_size=60),
    st.integers(0, 2**31),
)
def test_no_group_is_in_two_parts(members, seed):
    """Groups of one class each: every group a (class, size)."""
    labels = [label for label, size in [*((c, 2) for c in (0, 1, 2, 3) * 3), *members] for _ in range(size)]
    groups = [i for i, (_, size) in enumerate([*((c, 2) for c in (0, 1, 2, 3) * 3), *members]) for _ in range(size)]
    source = made(labels, groups=groups, declared=True)
    split = split_source(source, seed=seed, validation=0.1, test=0.2)
    assert sorted(np.concatenate(parts(split)).tolist()) == list(range(len(source)))
    seen = [set(source.groups[part].tolist()) for part in parts(split)]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
    for part in parts(split):
        assert min(counts(source, part)) >= 1


def test_shares_of_many_groups_come_near_the_fractions():
    rng = np.random.default_rng(0)
    source = made(rng.integers(0, 3, 3000), groups=rng.integers(0, 200, 3000))
    split = split_source(source, grouped=True, validation=0.1, test=0.2)
    totals = np.bincount(source.labels)
    np.testing.assert_allclose(counts(source, split.test) / totals, 0.2, atol=0.03)
    np.testing.assert_allclose(counts(source, split.validation) / totals, 0.1, atol=0.03)


def test_six_speakers_give_one_to_each_drawn_part():
    source = made(np.tile(np.arange(5), 60), groups=np.repeat(list("uvwxyz"), 50), declared=True)
    split = split_source(source)
    assert [len(set(source.groups[part])) for part in parts(split)] == [4, 1, 1]
    drawn = {str(source.groups[split_source(source, seed=seed).test[0]]) for seed in range(40)}
    assert drawn == set("uvwxyz")


def test_undeclared_groups_are_torn_only_when_asked_not_to():
    source = made(np.tile(np.arange(2), 60), groups=np.repeat(range(6), 20))
    assert set(source.groups[split_source(source).test]) & set(source.groups[split_source(source).train])
    split = split_source(source, grouped=True)
    assert not set(source.groups[split.test]) & set(source.groups[split.train])
    source.groups_declared = True
    split = split_source(source, grouped=False)
    assert set(source.groups[split.test]) & set(source.groups[split.train])


def test_validation_is_drawn_by_group_beside_a_given_test_part():
    source = made(np.tile(np.arange(2), 30), groups=np.repeat(range(6), 10), declared=True,
                  split=["train"] * 50 + ["test"] * 10)  # fmt: skip
    split = split_source(source)
    assert split.test.tolist() == [*range(50, 60)]
    assert len(set(source.groups[split.validation])) == 1
    assert not set(source.groups[split.validation]) & set(source.groups[split.train])


def test_a_group_torn_by_the_given_parts():
    source = made(
        [0, 1, 0, 1], groups=["ann", "ben", "ann", "ben"], split=["train", "", "test", "train"], declared=True
    )
    with pytest.raises(DataError) as error:
        split_source(source, validation=0)
    assert str(error.value) == (
        "made: group 'ann' is in the given parts test and train, but a group belongs to one (1 group of 2 torn).\n"
        "  Hint: grouped=False takes the given split as it is."
    )
    assert split_source(made([0, 1, 0, 1], split=source.split), validation=0).test.tolist() == [2]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (
            made([0] * 9 + [1]),
            {},
            "made: class 'b' has 1 sample to train on and draw from, but one for each of train, test, validation is "
            "needed: 3.\n  Hint: add samples or leave the class out.",
        ),
        (
            made([0] * 9 + [1] * 2),
            {},
            "made: class 'b' has 2 samples to train on and draw from, but one for each of train, test, validation is "
            "needed: 3.\n  Hint: add samples or leave the class out.",
        ),
        (
            made([0, 0, 0, 1, 1], split=["train", "train", "validation", "test", "test"]),
            {},
            "made: class 'b' has 0 samples to train on and draw from, but one for each of train is needed: 1.\n"
            "  Hint: add samples or leave the class out.",
        ),
        (
            made([0, 1] * 8, groups=np.repeat([1, 2], 8)),
            {"grouped": True},
            "made: class 'a' has 2 groups to train on and draw from, but one for each of train, test, validation is "
            "needed: 3.\n  Hint: add groups or leave the class out.",
        ),
        (
            made([0, 0, 0]),
            {},
            "made: all 3 samples are of one class, 'a', but at least two are needed to tell apart.",
        ),
    ],
)
def test_too_little_to_split(source, options, message):
    with pytest.raises(DataError) as error:
        split_source(source, **options)
    assert str(error.value) == message


def test_groups_that_cannot_be_shared_out():
    # Each class is in 3 of the 4 groups, one for each part, but a second group for test leaves another class short.
    groups = [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]
    source = made([label for group in groups for label in group], groups=np.repeat(range(4), 3), declared=True)
    with pytest.raises(DataError) as error:
        split_source(source, seed=0)
    assert str(error.value) == (
        "made: no group with class 'b' is left for test: groups hold several classes, and these could not be shared "
        "out so that every part has every class.\n"
        "  Hint: another seed draws other groups."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": -0.1}, "split_source: validation is -0.1, but a fraction from 0 to below 1 is expected."),
        ({"test": 1}, "split_source: test is 1, but a fraction from 0 to below 1 is expected."),
        ({"test": float("nan")}, "split_source: test is nan, but a fraction from 0 to below 1 is expected."),
        (
            {"validation": 0.5, "test": 0.5},
            "split_source: validation 0.5 + test 0.5 = 1 leaves nothing to train on: less than 1 is expected.",
        ),
        (
            {"grouped": True},
            "split_source: grouped=True, but made has no groups.\n"
            "  Hint: name them in a column group, speaker, patient or subject of a manifest, or an array groups.",
        ),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(OptionError) as error:
        split_source(made(np.arange(20) % 2), **options)
    assert str(error.value) == message


def test_a_split_is_frozen():
    with pytest.raises(AttributeError):
        Split(np.arange(3), np.arange(0), np.arange(0)).train = None
