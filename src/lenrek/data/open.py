"""Any labelled data as a source, told from what the path holds."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from lenrek.data import archive, arrays, folders, idx, manifest, named, npz
from lenrek.data.files import Progress, file_kind
from lenrek.data.shown import shown
from lenrek.data.source import Problem, Source
from lenrek.data.split import SPLIT_WORDS
from lenrek.errors import DataError

MANIFEST_NAMES = ("manifest", "labels")


def open_source(
    data: str | Path | tuple[Any, Any],
    *,
    strict: bool = False,
    progress: Progress | None = None,
    headers: bool = True,
) -> Source:
    """Labelled samples from a named set, a path, or a pair of arrays.

    - "digits", "mnist", "fashion-mnist", "cifar10": the named set (write ./mnist for a folder of that name).
    - A folder: class folders of images or WAV files (`open_folders`), MNIST's IDX files, one `.npz`, `.npy` files, or a
      table called manifest or labels.
    - `.csv`, `.tsv`, `.parquet`: a table path,label[,split][,group] (`open_manifest`).
    - `.npz`, `.npy`: arrays (`open_npz`, `open_npy`).
    - `…-idx3-ubyte[.gz]`: IDX images with their labels beside.
    - `.tar.gz`, `.tgz`, `.tar`, `.zip`: any of these, unpacked into the cache folder.
    - (x, y): arrays (`array_source`).

    Damaged files are left out and named in `problems`, and so is every guess.

    Args:
        strict: the first damaged file is an error.
        progress: called with (files looked at, files in all) while files are looked at.
        headers: False looks into no image or recording before it is decoded: sizes are 0 and damage is found later.
    Raises:
        DataError: nothing there, nothing that can be read, or data that contradict themselves.
    Example:
        >>> source = open_source("digits")
        >>> len(source), source.kind, source.channels, source.sizes[0].tolist()
        (1797, 'image', 1, [8, 8])
    """
    if isinstance(data, tuple):
        if len(data) != 2:
            raise DataError(
                f"open_source: a tuple of {len(data)} was given, but a pair of arrays, (x, y), is expected."
            )
        return arrays.array_source("arrays", *data)
    if not isinstance(data, str | Path):
        raise DataError(
            f"open_source: a {type(data).__name__} was given, but a path, a named set or a pair of arrays, (x, y), "
            "is expected."
        )
    if isinstance(data, str) and data in named.NAMED:
        source = named.open_named(data)
        if Path(data).exists():
            note = f"{data}: the named set is used; for the path of the same name write ./{data}."
            source.problems.append(Problem("note", note))
        return source
    path = Path(data).expanduser()
    if not path.exists():
        raise _nothing_there(path)
    if (stem := archive.archive_stem(path)) is not None and path.is_file():
        return _open_folder(_look_through(archive.unpack(path)), shown(stem), strict, progress, headers)
    if not path.is_dir():
        return _open_file(path, shown(path.stem), strict, progress, headers)
    inner = _look_through(path)
    source = _open_folder(inner, shown(path.resolve().name), strict, progress, headers)
    if inner != path:
        source.problems.insert(0, Problem("note", f"{shown(path)}: holds one folder only: {shown(inner)} is read."))
    return source


def _open_file(path: Path, name: str, strict: bool, progress: Progress | None, headers: bool) -> Source:
    suffix = path.suffix.lower()
    if suffix in manifest.SUFFIXES:
        return manifest.open_manifest(path, name, strict=strict, progress=progress, headers=headers)
    if suffix == ".npz":
        return npz.open_npz(path, name)
    if suffix == ".npy":
        return npz.open_npy(path, name)
    if idx.is_idx_name(path.name):
        return _open_idx_file(path, name)
    hint = "give a folder, a table (.csv), arrays (.npz), IDX files or an archive of them"
    if file_kind(path.name):
        hint = "give the folder of class folders that it lies in"
    raise DataError(
        f"{shown(path)}: a file called {suffix or 'without ending'} cannot be read as labelled data.\n  Hint: {hint}."
    )


def _open_folder(path: Path, name: str, strict: bool, progress: Progress | None, headers: bool) -> Source:
    here = [entry for entry in _visible(path) if entry.is_file()]
    arrays_here = {entry.stem: entry for entry in here if entry.suffix == ".npy"}
    tables = [entry for entry in here if entry.stem in MANIFEST_NAMES and entry.suffix in manifest.SUFFIXES]
    if pairs := idx.find_mnist_parts(entry.name for entry in here):
        return _open_idx_folder(path, pairs, name)
    if [entry.suffix for entry in here] == [".npz"]:
        return npz.open_npz(here[0], name)
    if arrays_here:
        return npz.open_npy_folder(arrays_here, name)
    if len(tables) == 1:
        source = manifest.open_manifest(tables[0], name, strict=strict, progress=progress, headers=headers)
        source.problems.insert(0, Problem("note", f"{shown(path)}: labels are taken from {shown(tables[0].name)}."))
        return source
    return folders.open_folders(path, name, strict=strict, progress=progress, headers=headers)


def _open_idx_folder(path: Path, pairs: dict[str, tuple[str, str]], name: str) -> Source:
    found = {}
    for part, (images, labels) in pairs.items():
        found[f"{part}-images"], found[f"{part}-labels"] = idx.read_idx(path / images), idx.read_idx(path / labels)
    return npz.arrays_source(found, name, shown(path), say_axes=False)


def _open_idx_file(path: Path, name: str) -> Source:
    labels = idx.labels_beside(path)
    if labels is None:
        raise DataError(
            f"{shown(path)}: holds images, but no labels lie beside it.\n"
            "  Hint: labels are in a file of the same name with labels for images and idx1 for idx3."
        )
    return npz.arrays_source(
        {"images": idx.read_idx(path), "labels": idx.read_idx(labels)}, name, shown(path), say_axes=False
    )


def _look_through(path: Path) -> Path:
    """The folder within, where a folder holds only one, and that is neither a part nor a class folder itself."""
    while True:
        entries = _visible(path)
        if len(entries) != 1 or not entries[0].is_dir() or entries[0].is_symlink():
            return path
        (inner,) = entries
        if inner.name.lower() in SPLIT_WORDS or any(file_kind(entry.name) == "image" for entry in _visible(inner)):
            return path
        path = inner


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not folders.is_hidden(entry.name))
    except OSError as error:
        raise DataError(f"{shown(folder)}: the folder cannot be listed: {error.strerror or error}.") from error


def _nothing_there(path: Path) -> DataError:
    siblings = [entry.name for entry in _visible(path.parent)] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, [*named.NAMED, *siblings], n=1)
    hint = f"did you mean {shown(near[0])}?" if near else f"the named sets are {', '.join(named.NAMED)}."
    return DataError(f"open_source: there is no {shown(path)}.\n  Hint: {hint}")
