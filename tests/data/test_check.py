import time

import numpy as np
from written import write_classes, write_image

from lenrek.data.arrays import array_source
from lenrek.data.check import check_source
from lenrek.data.folders import open_folders
from lenrek.data.open import open_source
from lenrek.data.split import Split


def found(problems):
    return [(problem.kind, problem.message, problem.samples) for problem in problems]


def array(values, labels, **options):
    return array_source("made", np.array(values, np.uint8)[:, None], labels, **options)


def test_sound_data_have_no_problems(tmp_path):
    assert check_source(array([1, 2, 3, 4], [0, 1, 0, 1])) == []
    write_classes(tmp_path, {"a": 2, "b": 2})
    assert check_source(open_folders(tmp_path, "x")) == []


def test_equal_arrays():
    source = array([5, 6, 5, 7, 5, 6], [0, 1, 0, 1, 0, 0])
    assert found(check_source(source)) == [
        ("conflict", "made: equal content has different labels once: x[1] (1) = x[5] (0).", ("x[1]", "x[5]")),
        (
            "duplicate",
            "made: 3 samples repeat another exactly: x[2] = x[0], x[4] = x[0], x[5] = x[1].",
            ("x[0]", "x[2]", "x[4]", "x[1]", "x[5]"),
        ),
    ]


def test_only_whole_samples_are_equal():
    x = np.zeros((4, 1, 3, 5), np.float32)
    x[1, 0, 2, 4] = 1e-30
    x[2, 0, 0, 0] = 1e-30
    x[3] = x[2]
    problems = check_source(array_source("made", x, [0, 0, 1, 1]))
    assert [problem.samples for problem in problems] == [("x[2]", "x[3]")]


def test_equal_files_of_other_names(tmp_path):
    write_classes(tmp_path, {"a": 2, "b": 2})
    write_image(tmp_path / "b" / "copy.png", 0)  # what a/0.png holds
    both = ("a/0.png", "b/copy.png")
    assert found(check_source(open_folders(tmp_path, "x"))) == [
        ("conflict", "x: equal content has different labels once: a/0.png (a) = b/copy.png (b).", both),
        ("duplicate", "x: 1 sample repeats another exactly: b/copy.png = a/0.png.", both),
    ]


def test_equal_content_in_different_parts():
    source = array([5, 6, 5, 6, 7, 7], [0, 1, 0, 1, 0, 0])
    split = Split(np.array([0, 1, 3]), np.array([4]), np.array([2]))  # x[5] is unused: no matter what it equals
    across = (
        "duplicate",
        "made: equal content lies in different parts once: x[0] (train) = x[2] (test).",
        ("x[0]", "x[2]"),
    )
    assert found(check_source(source, split))[0] == across
    assert across not in found(check_source(source))
    source.split = np.array(["train", "train", "test", "train", "", ""])
    assert found(check_source(source))[0] == across


def test_balance_and_small_classes():
    source = array(range(23), [0] * 20 + [1] * 2 + [2], classes=["a", "b", "c", "d"])
    assert [(problem.kind, problem.message) for problem in check_source(source)] == [
        ("single", "made: 1 class without any sample: d."),
        ("single", "made: 1 class with one sample only: c."),
    ]
    balance = "made: classes are out of balance: 20 samples of a, 2 of b."
    assert check_source(array(range(22), [0] * 20 + [1] * 2, classes=["a", "b"]))[0].message == balance
    assert check_source(array(range(21), [0] * 19 + [1] * 2, classes=["a", "b"])) == []


def test_60000_arrays_are_checked_fast():
    x = np.random.default_rng(0).integers(0, 256, (60_000, 28, 28), dtype=np.uint8)
    source = array_source("made", x, np.arange(60_000) % 10)
    start = time.perf_counter()
    assert check_source(source) == []
    assert time.perf_counter() - start < 3


def test_the_flowers_have_three_pairs_one_of_two_classes(real_data, tmp_path, monkeypatch):
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path))
    problems = check_source(open_source(real_data / "flowers.tar.gz"))
    conflict, duplicate = problems
    assert (conflict.kind, duplicate.kind) == ("conflict", "duplicate")
    assert conflict.samples == ("roses/15922772266_1167a06620.jpg", "tulips/15922772266_1167a06620.jpg")
    assert len(duplicate.samples) == 6
