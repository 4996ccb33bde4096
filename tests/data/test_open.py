import gzip
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from written import idx_bytes, messages, write_classes, write_wav

from lenrek.data.open import open_source
from lenrek.errors import DataError

X, Y = np.arange(4 * 3 * 5, dtype=np.uint8).reshape(4, 3, 5), np.array([0, 1, 1, 0], np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_a_pair_of_arrays():
    source = open_source((X, Y))
    assert (source.name, source.kind) == ("arrays", "image")
    np.testing.assert_array_equal(source.reader.x[:, 0], X)


def test_class_folders(folder):
    source = open_source(str(write_classes(folder, {"a": 1, "b": 1})))
    assert (source.name, source.classes, source.problems) == ("data", ("a", "b"), [])


def test_a_manifest_and_a_folder_with_one(folder):
    write_classes(folder, {"p": 2})
    (folder / "labels.csv").write_text("path,label\np/0.png,x\np/1.png,y\n")
    assert open_source(folder / "labels.csv").name == "labels"
    source = open_source(folder)
    assert source.classes == ("x", "y")
    assert messages(source, "note") == [f"{folder}: labels are taken from labels.csv."]


def test_npz_alone_in_a_folder_or_by_name(folder):
    np.savez(folder / "set.npz", x=X, y=Y)
    for data in (folder / "set.npz", folder):
        assert open_source(data).labels.tolist() == Y.tolist()
    assert open_source(folder / "set.npz").name == "set"


def test_npy_in_a_folder_or_by_name(folder):
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", Y)
    for data in (folder / "x.npy", folder):
        np.testing.assert_array_equal(open_source(data).reader.x[:, 0], X)


def test_idx_folder_and_file(folder):
    (folder / "train-images-idx3-ubyte").write_bytes(idx_bytes(X))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(Y)))
    source = open_source(folder)
    assert source.split.tolist() == ["train"] * 4
    assert source.names[2] == "train-images[2]"
    (folder / "t10k-images.idx3-ubyte").write_bytes(idx_bytes(X[:1]))
    (folder / "t10k-labels.idx1-ubyte").write_bytes(idx_bytes(Y[:1]))
    assert open_source(folder).split.tolist() == ["train"] * 4 + ["test"]
    source = open_source(folder / "train-images-idx3-ubyte")
    assert source.split is None
    assert source.names[2] == "images[2]"
    assert source.problems == []


def test_idx_images_and_labels_of_different_lengths(folder):
    (folder / "a-images-idx3-ubyte").write_bytes(idx_bytes(X))
    with pytest.raises(DataError) as error:
        open_source(folder / "a-images-idx3-ubyte")
    assert str(error.value) == (
        f"{folder}/a-images-idx3-ubyte: holds images, but no labels lie beside it.\n"
        "  Hint: labels are in a file of the same name with labels for images and idx1 for idx3."
    )
    (folder / "a-labels-idx1-ubyte").write_bytes(idx_bytes(Y[:3]))
    with pytest.raises(DataError) as error:
        open_source(folder / "a-images-idx3-ubyte")
    assert str(error.value) == (
        f"{folder}/a-images-idx3-ubyte: images has shape (4, 3, 5), but labels has shape (3,): "
        "one label per sample is expected."
    )


def test_archives_of_any_of_these(folder):
    write_classes(folder / "pets", {"a": 1, "b": 1})
    np.savez(folder / "set.npz", x=X, y=Y)
    with tarfile.open(folder / "pets.tar.gz", "w:gz") as file:
        file.add(folder / "pets", "inner/pets")
    with zipfile.ZipFile(folder / "set.zip", "w") as zipped:
        zipped.write(folder / "set.npz", "set.npz")
    source = open_source(folder / "pets.tar.gz")
    assert (source.name, source.names, source.problems) == ("pets", ["a/0.png", "b/0.png"], [])
    assert open_source(folder / "set.zip").labels.tolist() == Y.tolist()


def test_a_folder_around_everything_is_looked_through_and_said(folder):
    write_classes(folder / "outer" / "pets", {"a": 1, "b": 1})
    source = open_source(folder)
    assert source.classes == ("a", "b")
    assert messages(source, "note") == [f"{folder}: holds one folder only: {folder}/outer/pets is read."]


def test_folders_with_a_meaning_are_not_looked_through(folder):
    write_classes(folder / "train", {"a": 1, "b": 1})
    assert open_source(folder).split.tolist() == ["train", "train"]
    write_classes(folder / "train2" / "cats", {".": 2})
    assert open_source(folder / "train2").classes == ("cats",)
    write_wav(folder / "w" / "recordings" / "one_ann_1.wav")
    assert open_source(folder / "w").classes == ("one",)


def test_a_named_set_wins_over_a_folder_of_its_name(folder, monkeypatch):
    write_classes(folder / "digits", {"a": 1, "b": 1})
    monkeypatch.chdir(folder)
    source = open_source("digits")
    assert len(source) == 1797
    assert messages(source, "note") == ["digits: the named set is used; for the path of the same name write ./digits."]
    assert open_source("./digits").classes == ("a", "b")
    assert open_source(folder / "digits").classes == ("a", "b")


def test_strict_and_progress_reach_the_files(folder):
    write_classes(folder, {"a": 2, "b": 1})
    (folder / "a" / "0.png").write_bytes(b"")
    calls = []
    assert len(open_source(folder, progress=lambda *call: calls.append(call))) == 2
    assert calls[-1] == (3, 3)
    with pytest.raises(DataError) as error:
        open_source(folder, strict=True)
    assert str(error.value) == f"{folder}/a/0.png: empty: 0 bytes."


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("flowrs", "did you mean flowers?"),
        ("mnits", "did you mean mnist?"),
        ("xyzzy", "the named sets are digits, mnist, fashion-mnist, cifar10."),
    ],
)
def test_nothing_there(folder, name, hint):
    (folder / "flowers").mkdir()
    with pytest.raises(DataError) as error:
        open_source(folder / name)
    assert str(error.value) == f"open_source: there is no {folder}/{name}.\n  Hint: {hint}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a.png",
            "a file called .png cannot be read as labelled data.\n"
            "  Hint: give the folder of class folders that it lies in.",
        ),
        (
            "model",
            "a file called without ending cannot be read as labelled data.\n"
            "  Hint: give a folder, a table (.csv), arrays (.npz), IDX files or an archive of them.",
        ),
    ],
)
def test_a_file_that_is_no_data(folder, name, message):
    (folder / name).write_bytes(b"x")
    with pytest.raises(DataError) as error:
        open_source(folder / name)
    assert str(error.value) == f"{folder}/{name}: {message}"


def test_what_is_neither_path_nor_pair():
    with pytest.raises(DataError) as error:
        open_source((X, Y, Y))
    assert str(error.value) == "open_source: a tuple of 3 was given, but a pair of arrays, (x, y), is expected."
    with pytest.raises(DataError) as error:
        open_source(X)
    assert str(error.value) == (
        "open_source: a ndarray was given, but a path, a named set or a pair of arrays, (x, y), is expected."
    )


def test_an_empty_folder(folder):
    with pytest.raises(DataError) as error:
        open_source(folder)
    assert str(error.value) == f"{folder}: the folder is empty."


def test_a_folder_that_links_to_itself_alone(folder):
    (folder / "again").symlink_to(folder)
    with pytest.raises(DataError) as error:
        open_source(folder)
    assert str(error.value) == f"{folder}: the folder is empty."


def test_opening_needs_neither_torch_nor_pyarrow():
    code = (
        "import sys, lenrek.data.open; print([m for m in ('torch', 'pyarrow', 'sklearn', 'pooch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_spoken_digits_and_voxels(real_data):
    source = open_source(real_data / "spoken-digits.tar.gz")
    assert (len(source), source.kind, source.sample_rate_hz) == (3000, "signal", 8000)
    assert len(set(source.groups)) == 6
    assert not source.groups_declared
    assert source.problems == []
    source = open_source(real_data / "modelnet-voxels.npz")
    assert (source.kind, source.classes, source.reader.x.shape) == (
        "volume",
        ("chair", "monitor"),
        (1356, 1, 32, 32, 32),
    )
