"""Manifests: tables (CSV, TSV, Parquet) that name files, their labels and, perhaps, their part and group."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lenrek.data.files import LabelledFile, Progress, choose_kind, file_source
from lenrek.data.shown import counted, few, shown
from lenrek.data.source import Problem, Source
from lenrek.data.split import SPLIT_WORDS
from lenrek.errors import DataError

SUFFIXES = (".csv", ".tsv", ".parquet")
GROUP_COLUMNS = ("group", "speaker", "patient", "subject")

Table = dict[str, list[str]]


def open_manifest(
    path: Path, name: str, *, strict: bool = False, progress: Progress | None = None, headers: bool = True
) -> Source:
    """A source from a table: columns path, label and, perhaps, split and one of group, speaker, patient, subject.

    Paths are relative to the table's folder. Column names may be in capitals; other columns are ignored. Splits are
    train, val, valid, validation, test, or empty.

    Args:
        headers: as in `file_source`.
    Raises:
        DataError: the table cannot be read, lacks a column, leaves a label or group empty, names an unknown split, or
            none of its files is there.
    """
    who = shown(path)
    rows, table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_text(path)
    missing = [column for column in ("path", "label") if column not in table]
    if missing:
        raise DataError(
            f"{who}: has no column {' and no column '.join(missing)}, but path and label are expected; "
            f"it has {', '.join(table) or 'none'}."
        )
    if not rows:
        raise DataError(f"{who}: has no rows.")
    group_columns = [column for column in GROUP_COLUMNS if column in table]
    if len(group_columns) > 1:
        raise DataError(f"{who}: has the columns {' and '.join(group_columns)}, but one column of groups is expected.")
    for column in ("path", "label", *group_columns):
        empty = [f"row {row}" for row, value in zip(rows, table[column], strict=True) if not value]
        if empty:
            raise DataError(f"{who}: {column} is empty in {few(empty)}.")
    splits = _splits(table.get("split", [""] * len(rows)), rows, who)
    groups: Sequence[str | None] = table[group_columns[0]] if group_columns else [None] * len(rows)
    files = [
        LabelledFile(path.parent / file, shown(file), label, group, split)
        for file, label, group, split in zip(table["path"], table["label"], groups, splits, strict=True)
    ]
    kind, chosen, problems = choose_kind([file.name for file in files], who)
    absent = {index for index in chosen if not files[index].path.exists()}
    if absent:
        problems.append(_absent(path, files, sorted(absent), rows, len(chosen), strict))
    present = [files[index] for index in chosen if index not in absent]
    return file_source(
        name, kind, present, problems, groups_declared=bool(group_columns), strict=strict, progress=progress,
        headers=headers,
    )  # fmt: skip


def _splits(words: Sequence[str], rows: Sequence[int], who: str) -> list[str]:
    unknown = [
        f"row {row} {word!r}" for row, word in zip(rows, words, strict=True) if word and word.lower() not in SPLIT_WORDS
    ]
    if unknown:
        raise DataError(f"{who}: split is {few(unknown)}, but {', '.join(SPLIT_WORDS)} or nothing is expected.")
    return [SPLIT_WORDS[word.lower()] if word else "" for word in words]


def _absent(
    path: Path, files: Sequence[LabelledFile], absent: Sequence[int], rows: Sequence[int], num_files: int, strict: bool
) -> Problem:
    listed = few([f"row {rows[index]} {files[index].name}" for index in absent])
    message = f"{shown(path)}: {counted(len(absent), 'file')} of {num_files:,} not there: {listed}."
    if len(absent) == num_files:
        raise DataError(f"{message}\n  Hint: paths are relative to the table's folder, {shown(path.parent)}.")
    if strict:
        raise DataError(message)
    return Problem("damaged", message, tuple(files[index].name for index in absent))


def _read_text(path: Path) -> tuple[Sequence[int], Table]:
    """The number of each row, as an editor counts lines, and the columns."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{shown(path)}: is not UTF-8 text: byte {error.start} is {error.object[error.start]:02x}.\n"
            "  Hint: save it again with the encoding UTF-8."
        ) from error
    top = text.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ";" if ";" in top and "," not in top else ","
    try:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        header, *lines = [(reader.line_num, line) for line in reader if line] or [(1, [])]
    except csv.Error as error:
        raise DataError(f"{shown(path)}: is not a table separated by {delimiter!r}: {error}.") from error
    columns = [column.strip().lower() for column in header[1]]
    for row, line in lines:
        if len(line) != len(columns):
            raise DataError(f"{shown(path)}: row {row} has {len(line)} values, but {len(columns)} columns are named.")
    table = {column: [line[index].strip() for _, line in lines] for index, column in enumerate(columns)}
    return [row for row, _ in lines], table


def _read_parquet(path: Path) -> tuple[Sequence[int], Table]:
    """As `_read_text`; rows count from 1."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DataError(
            f"{shown(path)}: reading Parquet needs pyarrow, which is not installed.\n"
            '  Hint: pip install "lenrek[parquet]", or save the table as CSV.'
        ) from error
    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        raise DataError(f"{shown(path)}: cannot be read as Parquet: {' '.join(str(error).split())}.") from error
    columns = {name.strip().lower(): table.column(name).to_pylist() for name in table.column_names}
    rows = range(1, table.num_rows + 1)
    return rows, {name: ["" if value is None else str(value) for value in values] for name, values in columns.items()}
