import os
import shutil

import numpy as np
import pytest
from written import messages, write_classes, write_image, write_wav

from lenrek.data.folders import open_folders
from lenrek.errors import DataError
from lenrek.models.contract import InputContract


def test_class_folders_in_order_of_name(tmp_path):
    write_classes(tmp_path, {"dog": 1, "cat": 2})
    write_image(tmp_path / "cat" / "deep" / "er" / "x.bmp", 9)
    source = open_folders(tmp_path, "pets")
    assert (source.name, source.kind, source.channels) == ("pets", "image", 1)
    assert source.names == ["cat/0.png", "cat/1.png", "cat/deep/er/x.bmp", "dog/0.png"]
    assert source.classes == ("cat", "dog")
    assert source.labels.tolist() == [0, 0, 0, 1]
    np.testing.assert_array_equal(source.sizes, [(5, 7)] * 4)
    assert source.split is None
    assert source.groups is None
    assert source.problems == []
    contract = InputContract(1, (5, 7), (0.0,), (1.0,), source.classes)
    np.testing.assert_array_equal(source.reader.read(2, contract), np.full((1, 5, 7), 9, np.uint8))


def test_numbers_as_class_names_are_sorted_by_value(tmp_path):
    write_classes(tmp_path, {"10": 1, "9": 1})
    source = open_folders(tmp_path, "x")
    assert source.classes == ("9", "10")
    assert source.labels.tolist() == [1, 0]


def test_a_level_of_parts_gives_the_split(tmp_path):
    for part, number in (("Train", 3), ("val", 2), ("test", 1)):
        write_classes(tmp_path / part, {"a": number, "b": 1})
    source = open_folders(tmp_path, "x")
    assert source.classes == ("a", "b")
    assert dict(zip(source.names, source.split.tolist(), strict=True))["Train/a/2.png"] == "train"
    assert source.split.tolist() == ["train"] * 4 + ["test"] * 2 + ["validation"] * 3


def test_classes_called_like_parts_are_classes(tmp_path):
    write_classes(tmp_path, {"train": 1, "test": 1})
    source = open_folders(tmp_path, "signs")
    assert source.classes == ("test", "train")
    assert source.split is None


def test_hidden_and_other_files_and_empty_folders(tmp_path):
    write_classes(tmp_path, {"a": 1, "b": 1, ".hidden": 1, "__MACOSX": 1})
    (tmp_path / "a" / ".x.png").write_bytes(b"no")
    (tmp_path / "a" / "notes.txt").write_text("no")
    (tmp_path / "c").mkdir()
    write_image(tmp_path / "cover.png", 0)
    source = open_folders(tmp_path, "x")
    assert source.names == ["a/0.png", "b/0.png"]
    assert messages(source, "skipped") == [
        f"{tmp_path}: 1 file left out, the others being images: 1 × .txt.",
        f"{tmp_path}: 1 file beside the class folders left out: cover.png.",
        f"{tmp_path}: 1 folder without any image: c.",
    ]


def test_recordings_in_class_folders_know_their_groups(tmp_path):
    for name in ("0/0_ann_0", "0/0_ben_0", "1/1_ann_0"):
        write_wav(tmp_path / f"{name}.wav", num_samples=30 + len(name))
    source = open_folders(tmp_path, "digits")
    assert (source.kind, source.channels, source.sample_rate_hz) == ("signal", 1, 8000)
    assert source.groups.tolist() == ["ann", "ben", "ann"]
    assert not source.groups_declared
    assert source.sizes.tolist() == [[39], [39], [39]]
    write_wav(tmp_path / "1" / "2_ann_0.wav")  # says another class than its folder: the names are no pattern after all
    assert open_folders(tmp_path, "digits").groups is None


def test_flat_recordings_are_labelled_by_their_names(tmp_path):
    for name in ("seven_up_ann_1", "one_ann_2", "noise"):
        write_wav(tmp_path / f"{name}.wav")
    source = open_folders(tmp_path, "x")
    assert source.names == ["one_ann_2.wav", "seven_up_ann_1.wav"]
    assert source.classes == ("one", "seven_up")
    assert source.groups.tolist() == ["ann", "ann"]
    assert messages(source, "note") == [
        f"{tmp_path}: classes and groups are taken from the names, <label>_<group>_<take>.wav."
    ]
    assert messages(source, "skipped") == [
        f"{tmp_path}: 1 file not named <label>_<group>_<take>.wav left out: noise.wav."
    ]


def test_flat_recordings_in_parts(tmp_path):
    for name in ("train/one_ann_2", "train/two_ann_2", "test/one_ben_1"):
        write_wav(tmp_path / f"{name}.wav")
    source = open_folders(tmp_path, "x")
    assert source.split.tolist() == ["test", "train", "train"]
    assert source.classes == ("one", "two")


def test_mixed_sample_rates_and_channels_are_noted(tmp_path):
    for index, rate in enumerate((8000, 16000, 16000)):
        write_wav(tmp_path / str(index) / "x.wav", sample_rate_hz=rate)
    source = open_folders(tmp_path, "x")
    assert source.sample_rate_hz == 16000
    assert messages(source, "note") == ["2 signals of 16000 Hz, 1 signal of 8000 Hz: all are brought to 16000 Hz."]


def test_damaged_files_are_named_and_left_out(tmp_path):
    write_classes(tmp_path, {"a": 2, "b": 2})
    (tmp_path / "a" / "0.png").write_bytes(b"")
    (tmp_path / "b" / "0.png").write_text("this is no picture")
    (tmp_path / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    source = open_folders(tmp_path, "x")
    assert source.names == ["a/1.png", "b/1.png"]
    found = [problem for problem in source.problems if problem.kind == "damaged"]
    assert [problem.samples for problem in found] == [("a/0.png",), ("b/0.png",), ("b/gone.png",)]
    assert [problem.message for problem in found] == [
        f"{tmp_path}/a/0.png: empty: 0 bytes.",
        f"{tmp_path}/b/0.png: not an image: its 18 bytes begin with the text 'this is no pictu'.",
        f"{tmp_path}/b/gone.png: cannot be read: No such file or directory.",
    ]
    with pytest.raises(DataError) as error:
        open_folders(tmp_path, "x", strict=True)
    assert str(error.value) == f"{tmp_path}/a/0.png: empty: 0 bytes."


def test_nothing_but_damaged_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(b"")
    with pytest.raises(DataError) as error:
        open_folders(tmp_path, "x")
    assert str(error.value) == f"x: none of 1 file can be read; the first: {tmp_path}/a/0.png: empty: 0 bytes."


def test_link_loops_are_not_followed(tmp_path):
    write_classes(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    source = open_folders(tmp_path, "x")
    assert source.names == ["a/0.png", "b/0.png"]
    assert messages(source, "skipped")[0] == "a/up: a link to a folder it lies in: not followed."


def test_links_to_folders_elsewhere_are_followed(tmp_path):
    write_classes(tmp_path / "far", {"a": 1})
    write_classes(tmp_path / "near", {"b": 1})
    (tmp_path / "near" / "a").symlink_to(tmp_path / "far" / "a")
    assert open_folders(tmp_path / "near", "x").names == ["a/0.png", "b/0.png"]


def test_names_that_are_not_utf_8(tmp_path):
    write_classes(tmp_path, {"a": 1})
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    shutil.copy(tmp_path / "a" / "0.png", folder + b"/\xff.png")
    os.mkdir(folder + b"/empty")
    with open(folder + b"/bad.png", "wb"):
        pass
    source = open_folders(tmp_path, "x")
    assert source.names == ["a/0.png", r"caf\xe9/\xff.png"]
    assert source.classes == ("a", r"caf\xe9")
    assert messages(source, "damaged") == [rf"{tmp_path}/caf\xe9/bad.png: empty: 0 bytes."]
    contract = InputContract(1, (5, 7), (0.0,), (1.0,), source.classes)
    assert source.reader.read(1, contract).shape == (1, 5, 7)


def test_unreadable_files_and_folders(tmp_path, monkeypatch):
    write_classes(tmp_path, {"a": 1, "b": 1, "c": 1})
    scandir = os.scandir

    def forbidden(folder):
        if os.fspath(folder).endswith("/c"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", forbidden)
    source = open_folders(tmp_path, "x")
    assert source.names == ["a/0.png", "b/0.png"]
    assert messages(source, "damaged") == [f"{tmp_path}/c: the folder cannot be listed: Permission denied."]
    with pytest.raises(DataError) as error:
        open_folders(tmp_path, "x", strict=True)
    assert str(error.value) == f"{tmp_path}/c: the folder cannot be listed: Permission denied."


def test_what_is_neither_file_nor_folder(tmp_path):
    write_classes(tmp_path, {"a": 1, "b": 1})
    os.mkfifo(tmp_path / "a" / "pipe.png")  # opening it would wait for ever
    assert messages(open_folders(tmp_path, "x"), "skipped") == ["a/pipe.png: neither a file nor a folder."]


def test_progress_ends_at_all_files(tmp_path):
    write_classes(tmp_path, {"a": 2, "b": 1})
    calls = []
    open_folders(tmp_path, "x", progress=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 3), (3, 3)]


def test_folders_that_say_nothing(tmp_path):
    with pytest.raises(DataError) as error:
        open_folders(tmp_path, "x")
    assert str(error.value) == f"{tmp_path}: the folder is empty."
    (tmp_path / "a").mkdir()
    for name in ("1.txt", "2.txt", "a/README"):
        (tmp_path / name).write_text("no")
    with pytest.raises(DataError) as error:
        open_folders(tmp_path, "x")
    assert str(error.value) == f"{tmp_path}: holds no image and no WAV file, only 2 × .txt, 1 × no ending."
    write_image(tmp_path / "3.png", 0)
    with pytest.raises(DataError) as error:
        open_folders(tmp_path, "x")
    assert str(error.value) == (
        f"{tmp_path}: images lie directly in the folder, so that nothing says their class.\n"
        "  Hint: make a folder for each class, or a list path,label."
    )
    (tmp_path / "list.csv").write_text("path,label\n")
    with pytest.raises(DataError, match=r"\n  Hint: give the list that lies beside them, list\.csv\.$"):
        open_folders(tmp_path, "x")


def test_flat_recordings_without_a_pattern(tmp_path):
    for name in "abcd":
        write_wav(tmp_path / f"{name}.wav")
    with pytest.raises(DataError) as error:
        open_folders(tmp_path, "x")
    assert str(error.value) == (
        f"{tmp_path}: holds 4 WAV files without class folders, and their names do not say "
        "<label>_<group>_<take>.wav: a.wav, b.wav, c.wav and 1 more."
    )
