"""The named sets: found under LENREK_DATA, else in the cache folder, else fetched once, and always checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lenrek.data.archive import unpack
from lenrek.data.arrays import array_source
from lenrek.data.cache import cache_folder
from lenrek.data.folders import open_folders
from lenrek.data.idx import MNIST_PARTS, parse_idx, read_bytes
from lenrek.data.npz import arrays_source
from lenrek.data.shown import shown
from lenrek.data.source import Problem, Source
from lenrek.errors import DataError

DIGIT_NAMES = tuple("0123456789")
FASHION_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CIFAR10_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

MNIST_ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
CIFAR10_ADDRESS = "https://www.cs.toronto.edu/~kriz/"

# SHA-256 of the unpacked files, in the order images, labels; train before test.
MNIST_SHA256 = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
FASHION_SHA256 = (
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)
MNIST_FILES = {
    f"{part}-{what}": f"{prefix}-{what}-idx{ndim}-ubyte.gz"
    for part, prefix in MNIST_PARTS.items()
    for what, ndim in (("images", 3), ("labels", 1))
}

CIFAR10_ARCHIVE, CIFAR10_FOLDER = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
CIFAR10_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"  # of the archive itself
CIFAR10_JPEG = "cifar10-jpeg"
CIFAR10_PER_FILE, CIFAR10_RECORD_BYTES = 10_000, 1 + 3 * 32 * 32


def open_named(name: str) -> Source:
    """A named set.

    | name | what | split |
    |---|---|---|
    | digits | 1,797 handwritten digits, 8×8 grey, carried by scikit-learn; 0–16 becomes 0–255 | none |
    | mnist | 70,000 handwritten digits, 28×28 grey | train 60,000, test 10,000 |
    | fashion-mnist | 70,000 articles of clothing, 28×28 grey | train 60,000, test 10,000 |
    | cifar10 | 60,000 photographs, 32×32 RGB | train 50,000, test 10,000 |

    Raises:
        DataError: neither found nor fetched, or a file that is not the published one.
    Source: Alpaydin & Kaynak 1998, UCI; LeCun, Cortes & Burges; Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747;
        Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    return NAMED[name]()


def _digits() -> Source:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    names = [f"digits[{index}]" for index in range(len(x))]
    return array_source("digits", x, bunch.target, classes=DIGIT_NAMES, names=names, say_axes=False)


def _mnist() -> Source:
    return _idx_set("mnist", MNIST_ADDRESS, MNIST_SHA256, DIGIT_NAMES)


def _fashion_mnist() -> Source:
    return _idx_set("fashion-mnist", FASHION_ADDRESS, FASHION_SHA256, FASHION_NAMES)


def _idx_set(name: str, address: str, sha256: tuple[str, ...], classes: tuple[str, ...]) -> Source:
    arrays = {
        called: _checked_idx(name, address, file, sha)
        for (called, file), sha in zip(MNIST_FILES.items(), sha256, strict=True)
    }
    return arrays_source({**arrays, "classes": np.array(classes)}, name, name, say_axes=False)


def _checked_idx(name: str, address: str, file: str, sha256: str) -> np.ndarray:
    places = [folder / plain for folder in _places(name) for plain in (file, file.removesuffix(".gz"))]
    path = next((place for place in places if place.is_file()), None) or _fetch(name, address, file)
    content = read_bytes(path)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"{shown(path)}: is not the published file of {name}: its content has SHA-256 {found[:12]}…, "
            f"but {sha256[:12]}… is expected.\n"
            "  Hint: delete it, and it is fetched again."
        )
    return parse_idx(content, shown(path))


def _cifar10() -> Source:
    for place in _places("cifar10"):
        if (place / CIFAR10_FOLDER).is_dir():
            return _cifar10_binary(place / CIFAR10_FOLDER)
        if (archive := place / CIFAR10_ARCHIVE).is_file():
            return _cifar10_binary(unpack(archive, sha256=CIFAR10_SHA256) / CIFAR10_FOLDER)
        if (place / CIFAR10_JPEG).is_dir():
            return _cifar10_jpeg(place / CIFAR10_JPEG)
        if (archive := place / f"{CIFAR10_JPEG}.tar.gz").is_file():
            return _cifar10_jpeg(unpack(archive) / CIFAR10_JPEG)
    archive = _fetch("cifar10", CIFAR10_ADDRESS, CIFAR10_ARCHIVE)
    return _cifar10_binary(unpack(archive, sha256=CIFAR10_SHA256) / CIFAR10_FOLDER)


def _cifar10_jpeg(folder: Path) -> Source:
    source = open_folders(folder, "cifar10")
    note = "cifar10: read from a copy in JPEG, which is lossy: accuracies lie below those of the original images."
    source.problems.append(Problem("note", note))
    return source


def _cifar10_binary(folder: Path) -> Source:
    """Six files of 10,000 records: one byte of label, then 32×32 red, green and blue."""
    files = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    records = np.concatenate([_cifar10_records(folder / file) for file in files])
    names = [f"{file.removesuffix('.bin')}[{index}]" for file in files for index in range(CIFAR10_PER_FILE)]
    split = np.repeat(["train", "test"], [5 * CIFAR10_PER_FILE, CIFAR10_PER_FILE])
    x = records[:, 1:].reshape(-1, 3, 32, 32)
    return array_source("cifar10", x, records[:, 0], classes=CIFAR10_NAMES, split=split, names=names, say_axes=False)


def _cifar10_records(path: Path) -> np.ndarray:
    content, expected = read_bytes(path), CIFAR10_PER_FILE * CIFAR10_RECORD_BYTES
    if len(content) != expected:
        raise DataError(
            f"{shown(path)}: holds {len(content):,} bytes, but {CIFAR10_PER_FILE:,} records of 1 + 3·32·32 bytes "
            f"are {expected:,}."
        )
    return np.frombuffer(content, np.uint8).reshape(CIFAR10_PER_FILE, CIFAR10_RECORD_BYTES)


def _places(name: str) -> list[Path]:
    """Where a set's files may lie already, best first."""
    own = os.environ.get("LENREK_DATA")
    return [*([Path(own) / name, Path(own)] if own else []), cache_folder() / name]


def _fetch(name: str, address: str, file: str) -> Path:
    """The file, downloaded into the cache folder."""
    import pooch

    folder = cache_folder() / name
    pooch.get_logger().setLevel("WARNING")  # its notes on stderr would mix with ours
    try:
        return Path(pooch.retrieve(address + file, known_hash=None, fname=file, path=folder))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{name}: {file} is not on this machine and cannot be fetched from {address}: {error}.\n"
            f"  Hint: put it into {shown(folder)}, or into a folder {name} of the folder that LENREK_DATA names."
        ) from error


NAMED: dict[str, Callable[[], Source]] = {
    "digits": _digits,
    "mnist": _mnist,
    "fashion-mnist": _fashion_mnist,
    "cifar10": _cifar10,
}
