"""Stores: what is in them, what is found, and what becomes of them when things go wrong."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lenrek
from lenrek.errors import DataError, OptionError, StoreError
from lenrek.models.create import create_model
from lenrek.search import indexing
from lenrek.search.embedding import EmbeddingConfig
from lenrek.search.exact import Vectors
from lenrek.search.lock import sole_writer
from lenrek.search.records import stored, unit

pytest.importorskip("lancedb")


def write_pictures(root: Path, per_class: int = 6) -> Path:
    """Class folders red, green and blue of noisy pictures, each of another size."""
    rng = np.random.default_rng(5)
    for channel, name in enumerate(("red", "green", "blue")):
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            pixels = rng.integers(0, 90, (30 + i, 41 - channel, 3), dtype=np.uint8)
            pixels[..., channel] += 150
            Image.fromarray(pixels).save(root / name / f"{i:02}.png")
    return root


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return create_model("lenet5", 3, 3).eval()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path):
    return write_pictures(tmp_path / "photos")


@pytest.fixture
def store(photos, network, tmp_path):
    return lenrek.index(photos, model=network, out=tmp_path / "store").store


def rows_of(store):
    """Path → (label, digest, vector) of every row, each path once."""
    found = store.table.read(["path", "label", "digest", "vector"])
    assert len(set(found["path"])) == len(found["path"])
    return {
        path: (label, digest, np.array(vector, np.float32))
        for path, label, digest, vector in zip(
            found["path"], found["label"], found["digest"], found["vector"], strict=True
        )
    }


def assert_same_rows(one, other):
    one, other = rows_of(one), rows_of(other)
    assert one.keys() == other.keys()
    for path, (label, digest, vector) in one.items():
        assert (label, digest) == other[path][:2]
        np.testing.assert_allclose(unit(vector[None]), unit(other[path][2][None]), atol=2e-3)


def test_every_file_is_there_once_with_its_facts(store, photos):
    found = store.table.read(["path", "label", "width", "height", "size_bytes"])
    assert sorted(found["path"]) == sorted(f"{p.parent.name}/{p.name}" for p in photos.rglob("*.png"))
    at = found["path"].index("green/02.png")
    assert found["label"][at] == "green"
    assert (found["width"][at], found["height"][at]) == (40, 32)
    assert found["size_bytes"][at] == (photos / "green/02.png").stat().st_size


def test_what_is_found_is_what_loops_find(store, photos):
    files = sorted(photos.rglob("*.png"))[::5]
    rows = rows_of(store)
    for hits, file in zip(store.search(files, k=4), files, strict=True):
        own = rows[f"{file.parent.name}/{file.name}"][2].astype(np.float64)
        cosines = {
            path: float(own @ vector / np.linalg.norm(own) / np.linalg.norm(vector))
            for path, (_, _, vector) in rows.items()
        }
        expected = sorted(cosines, key=lambda path: -cosines[path])[:4]
        assert hits[0].path == f"{file.parent.name}/{file.name}"
        np.testing.assert_allclose([hit.similarity for hit in hits], [cosines[path] for path in expected], atol=2e-3)


def test_filters_means_and_unlike(store, photos):
    red, blue = photos / "red/00.png", photos / "blue/01.png"
    (hits,) = store.search(red, k=50, where="label = 'blue' AND height > 31")
    assert {hit.path for hit in hits} == {f"blue/0{i}.png" for i in (2, 3, 4, 5)}
    (both,) = store.search([red, blue], k=2, mean=True)
    assert {hit.label for hit in both} <= {"red", "blue"}
    assert both.query == f"mean of {red}, {blue}"
    (apart,) = store.search(red, k=18, unlike=blue)
    assert {hit.label for hit in apart.hits[-6:]} == {"blue"}
    (expanded,) = store.search(red, k=6, expand=3)
    assert {hit.label for hit in expanded} == {"red"}


def test_a_store_is_continued_and_knows_its_network(store, photos, network):
    before = rows_of(store)
    done = lenrek.index(photos, out=store.path)
    assert (done.added, done.unchanged) == (0, 18)
    assert rows_of(done.store).keys() == before.keys()
    opened = lenrek.open_store(store.path)  # without the network: it is kept in the store
    assert opened.search(photos / "red/00.png", k=1)[0][0].path == "red/00.png"


def test_update_finds_what_is_new_changed_moved_and_gone(store, photos, monkeypatch):
    looked = []
    embedded = indexing._embedded

    def counting(embedder, collection, wanted, unreadable):
        looked.extend(collection.name(i) for i in wanted)
        yield from embedded(embedder, collection, wanted, unreadable)

    monkeypatch.setattr(indexing, "_embedded", counting)
    vector = rows_of(store)["blue/00.png"][2]
    shutil.copy(photos / "red/00.png", photos / "red/copy.png")
    (photos / "blue/00.png").rename(photos / "green/moved.png")
    shutil.copy(photos / "green/01.png", photos / "red/01.png")
    Image.fromarray(np.full((9, 9, 3), 77, np.uint8)).save(photos / "red/02.png")
    Image.fromarray(np.full((9, 9, 3), 33, np.uint8)).save(photos / "red/new.png")
    os.utime(photos / "green/03.png", (1, 1))
    (photos / "blue/05.png").unlink()
    done = store.update()
    assert sorted(looked) == ["red/02.png", "red/new.png"]  # all else is known by its content
    assert (done.added, done.changed, done.removed, done.reused) == (3, 2, 2, 3)
    rows = rows_of(store)
    assert "blue/00.png" not in rows
    assert "blue/05.png" not in rows
    assert rows["green/moved.png"][0] == "green"
    np.testing.assert_array_equal(rows["green/moved.png"][2], vector)
    np.testing.assert_array_equal(rows["red/01.png"][2], rows["green/01.png"][2])
    again = store.update()
    assert (again.added, again.changed, again.removed, again.unchanged) == (0, 0, 0, len(rows))


def test_captions_lie_beside_files(photos, network, tmp_path):
    (photos / "red/00.txt").write_text("two roses,\n  red\x1b[1m\n")
    (photos / "red/01.txt").write_bytes(b"caf\xe9" + b"x" * 20_000)
    (photos / "red/02.txt").write_text("\n")
    (photos / "red/03.txt").mkdir()
    done = lenrek.index(photos, model=network, out=tmp_path / "store")
    assert [problem.message for problem in done.problems] == [
        f"{photos}: 3 texts beside images of the same name: captions, for searching only."
    ]
    store = done.store
    (hits,) = store.search(photos / "red/00.png", where="caption LIKE '%roses%'")
    assert [(hit.path, hit.caption) for hit in hits] == [("red/00.png", "two roses, red\\x1b[1m")]
    found = dict(zip(*map(store.table.read(["path", "caption"]).get, ("path", "caption")), strict=True))
    assert len(found["red/01.png"]) == 10_000
    assert {path for path, caption in found.items() if caption} == {"red/00.png", "red/01.png"}
    (photos / "red/00.txt").write_text("one rose")
    (photos / "red/01.txt").unlink()
    (photos / "blue/00.txt").write_text("sky")
    done = store.update()
    assert (done.changed, done.reused, done.unchanged, len(store)) == (3, 3, 15, 18)
    found = dict(zip(*map(store.table.read(["path", "caption"]).get, ("path", "caption")), strict=True))
    assert {path: caption for path, caption in found.items() if caption} == {
        "red/00.png": "one rose",
        "blue/00.png": "sky",
    }
    assert store.update().unchanged == 18


def test_remove(store):
    assert store.remove(["red/00.png", "blue"]) == 7
    assert len(store) == 11
    assert store.remove(where="label = 'red'") == 5
    with pytest.raises(OptionError, match=r"remove: blue is not in the store .*store\."):
        store.remove(["blue"])
    with pytest.raises(OptionError, match="remove: nothing was said to be removed"):
        store.remove()


def test_damaged_files_are_named_and_left_out(photos, network, tmp_path):
    (photos / "red/cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much more")
    (photos / "red/empty.png").write_bytes(b"")
    done = lenrek.index(photos, model=network, out=tmp_path / "store")
    assert (done.added, len(done.store)) == (18, 18)
    assert sorted(p.samples[0] for p in done.problems if p.kind == "damaged") == ["red/cut.jpg", "red/empty.png"]
    (photos / "green/00.png").write_bytes(b"spoilt")
    done = done.store.update()
    assert (done.removed, len(done.store)) == (1, 17)  # nothing is found as what it no longer is


def test_a_folder_without_classes(network, tmp_path):
    for i in range(3):
        Image.fromarray(np.full((9, 8, 3), 80 * i, np.uint8)).save(tmp_path / f"{i}.png")
    done = lenrek.index(tmp_path, model=network, out=tmp_path / "store")
    assert {label for label, *_ in rows_of(done.store).values()} == {None}
    with pytest.raises(DataError, match="search-eval: 0 labels are in the store, at least 2 are expected"):
        done.store.evaluate()


def test_arrays(network, tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (5, 28, 28, 3), dtype=np.uint8)
    done = lenrek.index((x, np.array([0, 1, 0, 1, 1])), model=network, out=tmp_path / "store")
    assert done.store.search(x[3:4], k=1)[0][0].path == "x[3]"
    assert lenrek.index((x, np.array([0, 1, 0, 1, 1])), out=tmp_path / "store").unchanged == 5


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_storage(photos, network, tmp_path, storage):
    config = EmbeddingConfig(storage=storage, pca=7)
    done = lenrek.index(photos, model=network, out=tmp_path / "store", config=config)
    assert done.store.settings.dims == 7
    assert done.store.vectors().stored.dtype == np.dtype(storage)
    (hits,) = done.store.search(photos / "green/04.png", k=1)
    assert hits[0].path == "green/04.png"
    assert hits[0].similarity == pytest.approx(1, abs=1e-4 if storage != "int8" else 5e-3)


def test_hostile_names(network, tmp_path):
    folder = tmp_path / "photos" / "it's; DROP TABLE images --"
    folder.mkdir(parents=True)
    names = ["two\nlines.png", "quote'\".png", "\x1b[31mred.png"]
    raw = os.fsencode(folder) + b"/caf\xe9.png"
    for i, name in enumerate(names):
        Image.fromarray(np.full((9, 8, 3), 60 * i + 10, np.uint8)).save(folder / name)
    shutil.copy(folder / names[1], raw)
    (tmp_path / "photos" / "other").mkdir()
    Image.fromarray(np.full((9, 8, 3), 250, np.uint8)).save(tmp_path / "photos/other/x.png")
    done = lenrek.index(tmp_path / "photos", model=network, out=tmp_path / "store")
    rows = rows_of(done.store)
    assert len(rows) == 5
    assert all(path.isprintable() for path in rows)
    assert done.store.update().unchanged == 5
    assert done.store.remove(["it's; DROP TABLE images --/quote'\".png"]) == 1
    os.remove(raw)
    assert done.store.update().removed == 1


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("label = 'red'; DROP TABLE images", "it holds more than one expression"),
        ("label = 'red' -- and more", "it holds more than one expression"),
        ("", "it is empty"),
        ("colour = 'red'", "No field named colour"),
        ("label = (SELECT path FROM images)", "is not supported"),
        ("label LIKE '%red", "Unterminated string literal"),
    ],
)
def test_filters_that_are_none(store, photos, where, reason):
    with pytest.raises(OptionError, match=f"search: where is .*which is no filter: .*{reason}"):
        store.search(photos / "red/00.png", where=where)
    assert len(store) == 18


def test_another_network_is_refused(store, photos, network):
    torch.manual_seed(4)
    other = create_model("lenet5", 3, 3).eval()
    expected = (
        r"store: was made with another network or embedding \(fingerprint \w{12}, from LeNet5\), and this one has "
        r"\w{12}: their vectors cannot be compared\.\n"
        r"  Hint: lenrek index DATA --model MODEL --out ANOTHER-STORE makes one with this network\.$"
    )
    with pytest.raises(StoreError, match=expected):
        lenrek.index(photos, model=other, out=store.path)
    with pytest.raises(StoreError, match="was made with another network"):
        lenrek.open_store(store.path, model=other).search(photos / "red/00.png")
    with pytest.raises(StoreError, match="was made with another network"):
        lenrek.index(photos, model=network, out=store.path, config=EmbeddingConfig(pooling="max"))


def test_queries_that_are_none(store, photos, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"text.jpg: not an image: its 8 bytes begin with the text 'no image'"):
        store.search(tmp_path / "text.jpg")
    with pytest.raises(DataError, match=r"search: there is no .*absent\.png"):
        store.search(tmp_path / "absent.png")
    with pytest.raises(DataError, match="its vector is zero or no number"):
        store.search(photos / "red/00.png", unlike=photos / "red/00.png")
    with pytest.raises(OptionError, match="search: k is 0, expected at least 1"):
        store.search(photos / "red/00.png", k=0)


def test_no_store(tmp_path):
    with pytest.raises(StoreError, match=r"open_store: there is no store in .*nothing.\n  Hint: lenrek index DATA"):
        lenrek.open_store(tmp_path / "nothing")
    with pytest.raises(OptionError, match="index: a new store needs a model"):
        lenrek.index(write_pictures(tmp_path / "photos", 1), out=tmp_path / "store")


def test_one_writer_at_a_time(store, photos):
    with (
        sole_writer(store.path),
        pytest.raises(StoreError, match=r"another process is writing to it.\n  Hint: wait until it has ended"),
    ):
        lenrek.index(photos, out=store.path)
    assert lenrek.index(photos, out=store.path).unchanged == 18


def test_a_failed_write_leaves_the_last_good_version(store, photos, monkeypatch):
    shutil.copy(photos / "red/00.png", photos / "red/zz.png")
    Image.fromarray(np.full((9, 9, 3), 44, np.uint8)).save(photos / "red/zzz.png")

    def full(rows):
        raise OSError("No space left on device (os error 28)")

    monkeypatch.setattr(store.table.inner, "add", full)
    with pytest.raises(StoreError, match=r"cannot be written: No space left on device \(os error 28\)"):
        store.update()
    monkeypatch.undo()
    assert store.update().added == 1
    assert len(lenrek.open_store(store.path)) == 20


def test_what_a_crash_leaves_half_written_is_not_seen(store, photos):
    """A version whose manifest was never finished, and data that no version names."""
    images = Path(store.path, "images.lance")
    before = rows_of(store)
    (images / "data" / "half.lance").write_bytes(b"half a file")
    (images / "_versions" / "99.manifest.tmp").write_bytes(b"\0\0")
    opened = lenrek.open_store(store.path)
    assert rows_of(opened).keys() == before.keys()
    assert opened.update().unchanged == 18


KILLED = """
import os, signal, sys, threading, time
import torch
from lenrek.models.create import create_model
from lenrek.search import embedding, indexing, projection
import lancedb
indexing.COMMIT_ROWS, embedding.BATCH_SAMPLES, indexing.MOST_SAMPLES = 3, 2, 6
torch.manual_seed(3)
network = create_model("lenet5", 3, 3).eval()
delay = float(sys.argv[3])
append = indexing._append
def slow(*arguments, **options):
    time.sleep(0.02)
    append(*arguments, **options)
indexing._append = slow
def die():
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=die, daemon=True).start()
indexing.index(sys.argv[1], out=sys.argv[2], model=network, config=embedding.EmbeddingConfig(pca=None))
"""


def test_kill_9_at_random_moments(photos, network, tmp_path):
    config = EmbeddingConfig(pca=None)
    whole = lenrek.index(photos, model=network, out=tmp_path / "whole", config=config).store
    rng, deaths = np.random.default_rng(), 0
    for delay in rng.uniform(0.02, 0.4, 3):
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, str(photos), str(tmp_path / "killed"), str(delay)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
        deaths += ended.returncode != 0
    done = lenrek.index(photos, model=network, out=tmp_path / "killed", config=config)
    assert done.added + done.unchanged == 18
    assert_same_rows(done.store, whole)


def test_duplicates_outliers_and_label_errors(photos, network, tmp_path):
    shutil.copy(photos / "red/00.png", photos / "red/same.png")
    shutil.copy(photos / "red/01.png", photos / "blue/liar.png")
    near = np.array(Image.open(photos / "green/02.png"))
    near[0, 0] ^= 8
    Image.fromarray(near).save(photos / "green/near.png")
    Image.fromarray(np.full((30, 30, 3), 255, np.uint8)).save(photos / "green/white.png")
    store = lenrek.index(photos, model=network, out=tmp_path / "store").store
    groups = store.duplicates(threshold=0.99999)
    assert [group.paths for group in groups if group.exact] == [
        ("blue/liar.png", "red/01.png"),
        ("red/00.png", "red/same.png"),
    ]
    assert [group.conflicting for group in groups[:2]] == [True, False]
    assert ("green/02.png", "green/near.png") in [group.paths for group in store.duplicates(threshold=0.999)]
    assert store.outliers(1)[0].path == "green/white.png"
    (first, *_) = store.label_errors(5, k=5)
    assert (first.path, first.label, first.suggested) == ("blue/liar.png", "blue", "red")
    assert store.classify(photos / "red/02.png", k=5)[0].label == "red"


def test_evaluation_is_that_of_loops(store):
    found = store.evaluate(ks=(1, 4), neighbours=3, pixels=False)
    vectors = store.vectors()
    rows = store.table.read(["label"])
    labels = dict(zip(rows["_rowid"], rows["label"], strict=True))
    names = [labels[int(one)] for one in vectors.ids]
    x = unit(vectors.stored).astype(np.float64)
    averages, precisions = [], []
    for i in range(len(x)):
        order = sorted((j for j in range(len(x)) if j != i), key=lambda j: -float(x[i] @ x[j]))
        right = [names[j] == names[i] for j in order]
        averages.append(np.mean([sum(right[: n + 1]) / (n + 1) for n in range(len(right)) if right[n]]))
        precisions.append(sum(right[:4]) / 4)
    assert found.rows[0].mean_average_precision == pytest.approx(np.mean(averages), abs=1e-4)
    assert found.rows[0].precision[4] == pytest.approx(np.mean(precisions), abs=1e-4)
    assert found.rows[-1].name == "chance"


def test_exact_search_with_ties_zeros_and_few_rows(rng):
    x = rng.standard_normal((40_000, 3)).astype(np.float16)
    x[7] = 0
    x[30_000] = x[5]
    vectors = Vectors(np.arange(len(x)), x)
    queries = unit(x[[5, 11, 39_999]])
    places, cosines = vectors.nearest(queries, 6)
    for query, place, cosine in zip(queries, places, cosines, strict=True):
        every = unit(x) @ query
        expected = np.argsort(-every, kind="stable")[:6]
        np.testing.assert_allclose(cosine, every[expected], atol=1e-6)
        np.testing.assert_allclose(every[place], every[expected], atol=1e-6)
    assert places[0][:2].tolist() == [5, 30_000]
    assert Vectors(np.arange(2), x[:2]).nearest(queries, 6)[0].shape == (3, 2)
    assert Vectors(np.arange(0), x[:0]).nearest(queries, 6)[0].shape == (3, 0)


def test_what_is_stored_keeps_the_direction(rng):
    x = unit(rng.standard_normal((5, 64)).astype(np.float32))
    x[2] = 0
    for storage, least in (("float32", 1 - 1e-6), ("float16", 1 - 1e-5), ("int8", 0.999)):
        cosines = (unit(stored(x, storage)) * x).sum(1)
        assert (cosines[[0, 1, 3, 4]] > least).all()
        assert cosines[2] == 0
