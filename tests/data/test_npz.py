import numpy as np
import pytest
from written import messages

from lenrek.data.npz import open_npy, open_npy_folder, open_npz
from lenrek.errors import DataError


def images(n, start=0):
    return (start + np.arange(n, dtype=np.uint8)).reshape(n, 1, 1) + np.zeros((1, 3, 5), np.uint8)


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_x_y_classes_groups(tmp_path):
    path = saved(tmp_path / "a.npz", x=images(3), y=[1, 0, 1], classes=["cat", "dog"], groups=[7, 8, 7])
    source = open_npz(path, "a")
    assert source.classes == ("cat", "dog")
    assert source.labels.tolist() == [1, 0, 1]
    assert source.groups.tolist() == [7, 8, 7]
    assert source.split is None
    assert list(source.names) == ["x[0]", "x[1]", "x[2]"]


def test_parts_follow_one_another(tmp_path):
    path = saved(
        tmp_path / "a.npz",
        test_images=images(2, 30), test_labels=[[0], [1]], train_images=images(3, 10), train_labels=[[2], [1], [0]],
        val_images=images(1, 20), val_labels=[[2]], embedding=np.zeros(4),
    )  # fmt: skip
    source = open_npz(path, "a")
    assert source.reader.x[:, 0, 2, 4].tolist() == [10, 11, 12, 20, 30, 31]
    assert source.labels.tolist() == [2, 1, 0, 2, 0, 1]
    assert source.split.tolist() == ["train"] * 3 + ["validation"] + ["test"] * 2
    assert source.names[3:5] == ["val_images[0]", "test_images[0]"]
    assert messages(source, "skipped") == [f"{path}: arrays with no meaning here: embedding."]


def test_npy_with_labels_beside(tmp_path):
    np.save(tmp_path / "faces.npy", images(2))
    with pytest.raises(DataError) as error:
        open_npy(tmp_path / "faces.npy", "faces")
    assert str(error.value) == (
        f"{tmp_path}/faces.npy: holds samples, but no labels lie beside it: "
        "faces_labels.npy, labels.npy, y.npy are looked for."
    )
    np.save(tmp_path / "y.npy", [0, 1])
    assert open_npy(tmp_path / "faces.npy", "faces").labels.tolist() == [0, 1]
    np.save(tmp_path / "faces_labels.npy", [1, 0])
    assert open_npy(tmp_path / "faces.npy", "faces").labels.tolist() == [1, 0]


def test_a_folder_of_npy_files(tmp_path):
    np.save(tmp_path / "x_train.npy", images(2))
    np.save(tmp_path / "y_train.npy", ["b", "a"])
    source = open_npy_folder({path.stem: path for path in tmp_path.iterdir()}, "made")
    assert source.labels.tolist() == [1, 0]
    assert source.split.tolist() == ["train", "train"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x": images(2), "z": [1]},
            "holds the arrays x, z, but samples and their labels are expected: x and y, or x_train and y_train "
            "(also images, labels; val, test).",
        ),
        (
            {"x_train": images(3), "y_train": [0, 1]},
            "x_train has shape (3, 3, 5), but y_train has shape (2,): one label per sample is expected.",
        ),
        (
            {"x": images(2), "images": images(2), "y": [0, 1]},
            "x and images both say they are the same thing; one is expected.",
        ),
        (
            {"x_train": images(2), "y_train": [0, 1], "x_test": images(2)[:, :2], "y_test": [0, 1]},
            "x_train (2, 3, 5), x_test (2, 2, 5) differ in more than their number of samples.",
        ),
        (
            {"x_train": images(2), "y_train": [0, 1], "x_test": images(2), "y_test": [0, 1], "groups_train": [1, 2]},
            "groups_train given, but no groups for x_test.",
        ),
        (
            {"x": images(2), "y": [0, 1], "classes": [["a"], ["b"]]},
            "classes has shape (2, 1), but one name per class is expected.",
        ),
        (
            {"x": images(2), "y": np.array(["a", None], object)},
            "holds Python objects, which are never loaded; arrays of numbers or strings are expected.\n"
            "  Hint: for names use np.array(names, dtype=str).",
        ),
    ],
)  # fmt: skip
def test_npz_that_says_too_little(tmp_path, arrays, message):
    path = saved(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError) as error:
        open_npz(path, "a")
    assert str(error.value) == f"{path}: {message}"


@pytest.mark.parametrize("left", [0.5, 0.95])
def test_npz_cut_short(tmp_path, left):
    path = saved(tmp_path / "a.npz", x=images(100), y=np.arange(100))
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    with pytest.raises(DataError) as error:
        open_npz(path, "a")
    assert str(error.value) == f"{path}: cannot be read as NumPy arrays, perhaps cut short: File is not a zip file."


def test_npy_cut_short_and_npz_called_npy(tmp_path):
    np.save(tmp_path / "x.npy", images(4))
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-9])
    np.save(tmp_path / "y.npy", [0, 1])
    with pytest.raises(DataError, match=r"x\.npy: cannot be read as NumPy arrays, perhaps cut short: "):
        open_npy(tmp_path / "x.npy", "x")
    saved(tmp_path / "z.npz", x=images(2)).rename(tmp_path / "z.npy")
    with pytest.raises(DataError, match=r"z\.npy: is called \.npy, but holds several arrays like a \.npz\.$"):
        open_npy(tmp_path / "z.npy", "z")


def test_a_text_called_npz(tmp_path):
    (tmp_path / "a.npz").write_text("hello, this is text")
    with pytest.raises(DataError) as error:
        open_npz(tmp_path / "a.npz", "a")
    assert str(error.value) == f"{tmp_path}/a.npz: is called .npz, but is not in NumPy's format."
