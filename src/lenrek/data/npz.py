"""NumPy files as a source: which of their arrays are samples and which are labels, told from the names.

A name is one word for what the array is and, perhaps, one for its part, in either order, with `_` or `-` between:
`x`, `y`, `x_train`, `test_labels`, `val_images`, `classes`, `groups`. A folder of `.npy` files is read like one `.npz`.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lenrek.data.arrays import array_source
from lenrek.data.shown import shown
from lenrek.data.source import Problem, Source
from lenrek.data.split import SPLIT_WORDS
from lenrek.errors import DataError

ROLES = {
    **dict.fromkeys(("x", "data", "images", "signals", "volumes"), "x"),
    **dict.fromkeys(("y", "labels", "targets"), "y"),
    "classes": "classes",
    "groups": "groups",
}
PARTS_IN_ORDER = ("", "train", "validation", "test")


def role_and_part(name: str) -> tuple[str, str] | None:
    """What an array called `name` is (x, y, classes, groups), and of which part ("" for all); None where unknown.

    >>> role_and_part("test_images"), role_and_part("y_val"), role_and_part("embedding")
    (('x', 'test'), ('y', 'validation'), None)
    """
    words = re.split("[-_]", name.lower())
    roles = [ROLES[word] for word in words if word in ROLES]
    parts = [SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS]
    if len(roles) != 1 or len(parts) > 1 or len(roles) + len(parts) != len(words):
        return None
    return roles[0], parts[0] if parts else ""


def open_npz(path: Path, name: str) -> Source:
    """A source from the arrays in a `.npz` file.

    Raises:
        DataError: the file is damaged or cut short, holds Python objects, or its names do not say what is what.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files if role_and_part(key)}
            unused = [key for key in stored.files if key not in arrays]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, AttributeError) as error:
        raise _unreadable(path, error) from error
    return arrays_source(arrays, name, shown(path), unused)


def open_npy(path: Path, name: str) -> Source:
    """A source from the samples in a `.npy` file and the labels beside it.

    The labels of `NAME.npy` are `NAME_labels.npy`, `labels.npy` or `y.npy`, the first of them that is there.
    """
    candidates = [path.with_name(beside) for beside in (f"{path.stem}_labels.npy", "labels.npy", "y.npy")]
    labels = next((beside for beside in candidates if beside != path and beside.is_file()), None)
    if labels is None:
        raise DataError(
            f"{shown(path)}: holds samples, but no labels lie beside it: "
            f"{', '.join(shown(beside.name) for beside in candidates)} are looked for."
        )
    return array_source(name, load_npy(path), load_npy(labels))


def open_npy_folder(files: Mapping[str, Path], name: str) -> Source:
    """A source from a folder's `.npy` files, given by their stems."""
    arrays = {stem: load_npy(path) for stem, path in files.items() if role_and_part(stem)}
    return arrays_source(arrays, name, name, [stem for stem in files if stem not in arrays])


def load_npy(path: Path) -> np.ndarray:
    """The array in a `.npy` file; never anything pickled."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(f"{shown(path)}: is called .npy, but holds several arrays like a .npz.")
    return array


def arrays_source(
    arrays: Mapping[str, np.ndarray], name: str, who: str, unused: Sequence[str] = (), *, say_axes: bool = True
) -> Source:
    """A source from named arrays: their parts one after another, each sample knowing its part.

    Args:
        arrays: by names that say what each is.
        who: names the file in errors.
        unused: names of other arrays, mentioned only.
        say_axes: as for `array_source`.
    Raises:
        DataError: no samples, samples without labels, two arrays for one thing, parts whose shapes differ.
    """
    by_role: dict[tuple[str, str], str] = {}
    for key in arrays:
        role = role_and_part(key)
        if role in by_role:
            raise DataError(f"{who}: {by_role[role]} and {key} both say they are the same thing; one is expected.")
        if role:
            by_role[role] = key
    parts = [part for part in PARTS_IN_ORDER if ("x", part) in by_role]
    if not parts or any(("y", part) not in by_role for part in parts):
        raise DataError(
            f"{who}: holds the arrays {', '.join([*arrays, *unused]) or '(none)'}, but samples and their labels are "
            "expected: x and y, or x_train and y_train (also images, labels; val, test)."
        )
    chosen = {role: [arrays[by_role[role, part]] for part in parts] for role in ("x", "y")}
    for part, x, y in zip(parts, chosen["x"], chosen["y"], strict=True):
        if x.shape[:1] != y.shape[:1] or not x.ndim:
            raise DataError(
                f"{who}: {by_role['x', part]} has shape {x.shape}, but {by_role['y', part]} has shape {y.shape}: "
                "one label per sample is expected."
            )
    shapes = {x.shape[1:] for x in chosen["x"]}
    if len(shapes) > 1:
        listed = ", ".join(f"{by_role['x', part]} {x.shape}" for part, x in zip(parts, chosen["x"], strict=True))
        raise DataError(f"{who}: {listed} differ in more than their number of samples.")
    lengths = [len(x) for x in chosen["x"]]
    source = array_source(
        name,
        _join(chosen["x"]),
        _join(chosen["y"]),
        classes=_class_names(arrays[by_role["classes", ""]], who) if ("classes", "") in by_role else None,
        groups=_groups(arrays, by_role, parts, who),
        split=np.repeat(parts, lengths) if parts != [""] else None,
        names=[f"{by_role['x', part]}[{i}]" for part, n in zip(parts, lengths, strict=True) for i in range(n)],
        say_axes=say_axes,
    )
    if unused:
        source.problems.append(Problem("skipped", f"{who}: arrays with no meaning here: {', '.join(unused)}."))
    return source


def _join(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _class_names(classes: np.ndarray, who: str) -> list[str]:
    if classes.ndim != 1:
        raise DataError(f"{who}: classes has shape {classes.shape}, but one name per class is expected.")
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in classes.tolist()]


def _groups(
    arrays: Mapping[str, np.ndarray], by_role: Mapping[tuple[str, str], str], parts: list[str], who: str
) -> np.ndarray | None:
    found = [by_role.get(("groups", part)) for part in parts]
    if not any(found):
        return None
    if not all(found):
        lacking = [by_role["x", part] for part, key in zip(parts, found, strict=True) if key is None]
        raise DataError(
            f"{who}: {', '.join(key for key in found if key)} given, but no groups for {', '.join(lacking)}."
        )
    return _join([arrays[key] for key in found if key])


def _unreadable(path: Path, error: Exception) -> DataError:
    if "Object arrays" in str(error):
        return DataError(
            f"{shown(path)}: holds Python objects, which are never loaded; arrays of numbers or strings are expected.\n"
            "  Hint: for names use np.array(names, dtype=str)."
        )
    if "pickle" in str(error):  # what NumPy takes a file of any other kind for
        return DataError(f"{shown(path)}: is called {path.suffix}, but is not in NumPy's format.")
    what = re.sub(r"\s+", " ", str(error)) or type(error).__name__
    return DataError(f"{shown(path)}: cannot be read as NumPy arrays, perhaps cut short: {what}.")
