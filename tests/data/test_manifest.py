import sys

import pytest
from written import messages, write_classes, write_wav

from lenrek.data.manifest import open_manifest
from lenrek.errors import DataError


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path, {"p": 4})


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_in_any_order_with_split_and_group(folder):
    text = "Label , patient,note,PATH,split\ncat,7,,p/0.png,train\ndog,8,x,p/3.png,val\n\ncat,7,,p/1.png,\n"
    source = open_manifest(written(folder / "list.csv", text), "list")
    assert source.names == ["p/0.png", "p/3.png", "p/1.png"]
    assert source.classes == ("cat", "dog")
    assert source.labels.tolist() == [0, 1, 0]
    assert source.split.tolist() == ["train", "validation", ""]
    assert source.groups.tolist() == ["7", "8", "7"]
    assert source.groups_declared
    assert source.sizes.tolist() == [[5, 7]] * 3


def test_a_table_of_paths_and_labels_only(folder):
    source = open_manifest(written(folder / "list.csv", "path,label\np/0.png,a\np/1.png,b\n"), "list")
    assert source.split is None
    assert source.groups is None
    assert not source.groups_declared


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.tsv", "path\tlabel\np/0.png\ta, b\np/1.png\tc\n"),
        ("list.csv", "path;label\np/0.png;a, b\np/1.png;c\n"),
        ("list.csv", '\ufeffpath,label\r\np/0.png,"a, b"\r\np/1.png,c\r\n'),
    ],
)
def test_separators_quotes_and_byte_order_marks(folder, name, text):
    source = open_manifest(written(folder / name, text), "list")
    assert source.names == ["p/0.png", "p/1.png"]
    assert source.classes == ("a, b", "c")


def test_parquet_reads_like_csv(folder):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"path": ["p/0.png", "p/1.png"], "label": [10, 9], "speaker": ["ann", "ben"], "split": ["test", None]}
    parquet.write_table(pyarrow.table(columns), folder / "list.parquet")
    source = open_manifest(folder / "list.parquet", "list")
    assert source.classes == ("9", "10")
    assert source.labels.tolist() == [1, 0]
    assert source.groups.tolist() == ["ann", "ben"]
    assert source.split.tolist() == ["test", ""]


def test_parquet_without_pyarrow(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError) as error:
        open_manifest(folder / "list.parquet", "list")
    assert str(error.value) == (
        f"{folder}/list.parquet: reading Parquet needs pyarrow, which is not installed.\n"
        '  Hint: pip install "lenrek[parquet]", or save the table as CSV.'
    )


def test_parquet_that_is_none(folder):
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match=r"list\.parquet: cannot be read as Parquet: "):
        open_manifest(written(folder / "list.parquet", "path,label"), "list")


def test_recordings(folder):
    write_wav(folder / "a.wav")
    write_wav(folder / "b.wav")
    source = open_manifest(written(folder / "list.csv", "path,label\na.wav,x\nb.wav,y\np/0.png,y\n"), "list")
    assert source.kind == "signal"
    assert messages(source, "skipped") == [f"{folder}/list.csv: 1 file left out, the others being signals: 1 × .png."]


def test_rows_whose_file_is_missing_are_named(folder):
    path = written(folder / "list.csv", "path,label\np/0.png,a\n\np/8.png,a\np/9.png,b\np/1.png,b\n")
    source = open_manifest(path, "list")
    assert source.names == ["p/0.png", "p/1.png"]
    message = f"{path}: 2 files of 4 not there: row 4 p/8.png, row 5 p/9.png."
    assert messages(source, "damaged") == [message]
    with pytest.raises(DataError) as error:
        open_manifest(path, "list", strict=True)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column path and no column label, but path and label are expected; it has none."),
        ("file,label\na,b\n", "has no column path, but path and label are expected; it has file, label."),
        ("path,label\n", "has no rows."),
        ("path,label\np/0.png,a\np/1.png\n", "row 3 has 1 values, but 2 columns are named."),
        ("path,label\np/0.png,\np/1.png,b\n,c\n", "path is empty in row 4."),
        ("path,label\np/0.png,\np/1.png,b\n", "label is empty in row 2."),
        ("path,label,group\np/0.png,a,\np/1.png,b,x\n", "group is empty in row 2."),
        (
            "path,label,speaker,patient\np/0.png,a,1,2\n",
            "has the columns speaker and patient, but one column of groups is expected.",
        ),
        (
            "path,label,split\np/0.png,a,train\np/1.png,a,holdout\n",
            "split is row 3 'holdout', but train, val, valid, validation, test or nothing is expected.",
        ),
        ("path,label\nnotes.txt,a\n", "holds no image and no WAV file, only 1 × .txt."),
    ],
)
def test_tables_that_say_too_little(folder, text, message):
    path = written(folder / "list.csv", text)
    with pytest.raises(DataError) as error:
        open_manifest(path, "list")
    assert str(error.value) == f"{path}: {message}"


def test_no_file_is_there(folder):
    path = written(folder / "list.csv", "path,label\nq/0.png,a\nq/1.png,b\n")
    with pytest.raises(DataError) as error:
        open_manifest(path, "list")
    assert str(error.value) == (
        f"{path}: 2 files of 2 not there: row 2 q/0.png, row 3 q/1.png.\n"
        f"  Hint: paths are relative to the table's folder, {folder}."
    )


def test_a_table_that_is_not_utf_8(folder):
    (folder / "list.csv").write_bytes(b"path,label\np/0.png,caf\xe9\n")
    with pytest.raises(DataError) as error:
        open_manifest(folder / "list.csv", "list")
    assert str(error.value) == (
        f"{folder}/list.csv: is not UTF-8 text: byte 22 is e9.\n  Hint: save it again with the encoding UTF-8."
    )


def test_a_quote_that_never_closes(folder):
    path = written(folder / "list.csv", 'path,label\n"p/0.png,a\n')
    with pytest.raises(DataError) as error:
        open_manifest(path, "list")
    assert str(error.value) == f"{path}: is not a table separated by ',': unexpected end of data."
