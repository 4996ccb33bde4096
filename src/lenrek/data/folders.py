"""Folders of files as a source: a folder per class, perhaps below one per part; or names that say the class."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lenrek.data.files import FileKind, LabelledFile, Progress, choose_kind, file_source
from lenrek.data.manifest import SUFFIXES as TABLES
from lenrek.data.shown import counted, few, shown
from lenrek.data.source import Problem, Source
from lenrek.data.split import SPLIT_WORDS
from lenrek.errors import DataError

HIDDEN = {"__MACOSX", "Thumbs.db", "desktop.ini"}
RECORDING = re.compile(r"(?P<label>.+)_(?P<group>[^_]+)_(?P<take>[^_]+)")


@dataclass
class Tree:
    """The visible files and folders below a folder, by the names on the way there, in order of name."""

    root: Path
    files: list[tuple[str, ...]] = field(default_factory=list)
    folders: list[tuple[str, ...]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def is_hidden(name: str) -> bool:
    """Whether a name is one that its owner does not mean as data."""
    return name.startswith(".") or name in HIDDEN


def walk(root: Path, *, strict: bool = False) -> Tree:
    """All visible files below `root`; links are followed, but never into a folder that is on the way there.

    Raises:
        DataError: with `strict`, a folder that cannot be listed.
    """
    tree = Tree(root)
    _walk(tree, (), frozenset(), strict)
    return tree


def _walk(tree: Tree, parts: tuple[str, ...], above: frozenset[tuple[int, int]], strict: bool) -> None:
    folder = tree.root.joinpath(*parts)
    try:
        state = os.stat(folder)
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        message = f"{shown(folder)}: the folder cannot be listed: {error.strerror or error}."
        if strict or not parts:
            raise DataError(message) from error
        tree.problems.append(Problem("damaged", message, (shown("/".join(parts)),)))
        return
    identity = (state.st_dev, state.st_ino)
    if identity in above:
        name = shown("/".join(parts))
        tree.problems.append(Problem("skipped", f"{name}: a link to a folder it lies in: not followed.", (name,)))
        return
    for entry in entries:
        if is_hidden(entry.name):
            continue
        here = (*parts, entry.name)
        if os.path.isdir(entry):
            tree.folders.append(here)
            _walk(tree, here, above | {identity}, strict)
        elif os.path.isfile(entry) or not os.path.exists(entry):  # a broken link is a file that cannot be opened
            tree.files.append(here)
        else:
            name = shown("/".join(here))
            tree.problems.append(Problem("skipped", f"{name}: neither a file nor a folder.", (name,)))


def open_folders(
    root: Path, name: str, *, strict: bool = False, progress: Progress | None = None, headers: bool = True
) -> Source:
    """A source from class folders of images or WAV files, or from WAV files named `<label>_<group>_<take>.wav`.

    Everything inside a class folder, at any depth, is of that class. A level of folders called train, val, valid,
    validation or test above the classes gives the split. Where all recordings of class folders are named
    `<class>_<group>_<take>.wav`, or recordings lie flat and are named so, `<group>` is the group of each.

    Args:
        headers: as in `file_source`.
    Raises:
        DataError: nothing that can be read, images without class folders, recordings whose names say no class.
    """
    tree = walk(root, strict=strict)
    who = shown(root)
    if not tree.files:
        raise DataError(f"{who}: the folder is empty.")
    kind, chosen, skipped = choose_kind([shown("/".join(parts)) for parts in tree.files], who)
    files = [tree.files[index] for index in chosen]
    with_split = _has_split_level(files, kind)
    depth = 1 if with_split else 0
    if all(len(parts) == depth + 1 for parts in files):
        if kind == "image":
            raise _no_class_folders(tree, who)
        labelled, unnamed = _recordings(root, files, with_split, who)
    else:
        labelled, unnamed = _class_members(root, files, with_split, kind, who)
    unnamed += _empty_classes(tree, {file.label for file in labelled}, depth, kind)
    problems = [*tree.problems, *skipped, *unnamed]
    return file_source(name, kind, labelled, problems, strict=strict, progress=progress, headers=headers)


def _has_split_level(files: Sequence[tuple[str, ...]], kind: FileKind) -> bool:
    """Whether the outermost folders are parts: called so, and with classes (or recordings that name them) inside."""
    if not all(len(parts) > 1 and parts[0].lower() in SPLIT_WORDS for parts in files):
        return False
    return all(len(parts) > 2 for parts in files) or (kind == "signal" and all(_recording(parts) for parts in files))


def _recording(parts: tuple[str, ...]) -> re.Match[str] | None:
    return RECORDING.fullmatch(os.path.splitext(parts[-1])[0])


def _labelled(root: Path, parts: tuple[str, ...], label: str, group: str | None, with_split: bool) -> LabelledFile:
    split = SPLIT_WORDS[parts[0].lower()] if with_split else ""
    group = shown(group) if group is not None else None
    return LabelledFile(root.joinpath(*parts), shown("/".join(parts)), shown(label), group, split)


def _class_members(
    root: Path, files: Sequence[tuple[str, ...]], with_split: bool, kind: FileKind, who: str
) -> tuple[list[LabelledFile], list[Problem]]:
    depth = 1 if with_split else 0
    members = [parts for parts in files if len(parts) > depth + 1]
    loose = tuple(shown("/".join(parts)) for parts in files if len(parts) == depth + 1)
    names = [_recording(parts) if kind == "signal" else None for parts in members]
    grouped = all(name and name["label"] == parts[depth] for name, parts in zip(names, members, strict=True))
    labelled = [
        _labelled(root, parts, parts[depth], name["group"] if grouped and name else None, with_split)
        for parts, name in zip(members, names, strict=True)
    ]
    if not loose:
        return labelled, []
    said = f"{who}: {counted(len(loose), 'file')} beside the class folders left out: {few(loose)}."
    return labelled, [Problem("skipped", said, loose)]


def _recordings(
    root: Path, files: Sequence[tuple[str, ...]], with_split: bool, who: str
) -> tuple[list[LabelledFile], list[Problem]]:
    names = [_recording(parts) for parts in files]
    labelled = [
        _labelled(root, parts, name["label"], name["group"], with_split)
        for parts, name in zip(files, names, strict=True)
        if name
    ]
    unnamed = tuple(shown(parts[-1]) for parts, name in zip(files, names, strict=True) if not name)
    if not labelled:
        raise DataError(
            f"{who}: holds {counted(len(files), 'WAV file')} without class folders, and their names do not say "
            f"<label>_<group>_<take>.wav: {few(unnamed)}."
        )
    said = f"{who}: classes and groups are taken from the names, <label>_<group>_<take>.wav."
    problems = [Problem("note", said)]
    if unnamed:
        said = f"{who}: {counted(len(unnamed), 'file')} not named <label>_<group>_<take>.wav left out: {few(unnamed)}."
        problems.append(Problem("skipped", said, unnamed))
    return labelled, problems


def _empty_classes(tree: Tree, classes: set[str], depth: int, kind: FileKind) -> list[Problem]:
    names = sorted({shown(parts[depth]) for parts in tree.folders if len(parts) == depth + 1} - classes)
    if not names:
        return []
    return [
        Problem("skipped", f"{shown(tree.root)}: {counted(len(names), 'folder')} without any {kind}: {few(names)}.")
    ]


def _no_class_folders(tree: Tree, who: str) -> DataError:
    lists = [shown(parts[0]) for parts in tree.files if len(parts) == 1 and parts[0].lower().endswith(TABLES)]
    hint = (
        f"give the list that lies beside them, {lists[0]}."
        if lists
        else "make a folder for each class, or a list path,label."
    )
    return DataError(f"{who}: images lie directly in the folder, so that nothing says their class.\n  Hint: {hint}")
