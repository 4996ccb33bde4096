"""The approximate index: what it finds, what it must never find, and what becomes of it when things go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import lenrek
from lenrek.errors import OptionError, StoreError
from lenrek.models.create import create_model
from lenrek.search import approximate, inverted, inverted_build, records
from lenrek.search.clustering import assign, cluster
from lenrek.search.collection import Facts
from lenrek.search.embedding import EmbeddingConfig
from lenrek.search.lock import sole_builder

pytest.importorskip("lancedb")
ROWS, DIMS = 3_000, 24


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return create_model("lenet5", 3, 3).eval()


def clustered(rng, count, dims=DIMS):
    """Unit vectors around 40 directions, always the same, of unequal spread."""
    centres = np.random.default_rng(1).standard_normal((40, dims))
    which = rng.integers(0, 40, count)
    x = centres[which] + rng.standard_normal((count, dims)) * (0.2 + 0.02 * which[:, None])
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def add_rows(store, vectors, first=0):
    """Rows as `lenrek.index` writes them, called v0, v1, … from `first`, with these vectors."""
    made = [
        records.Record(
            b"%016d" % (first + i), f"v{first + i}", None, "ab"[i % 2], None, None, Facts(bytes(16), 1, 2, 3, 4)
        )
        for i in range(len(vectors))
    ]
    kept = records.stored(vectors, store.settings.config.storage)
    store.table.append(records.rows(made, kept, store.table.schema))


@pytest.fixture
def store(network, tmp_path, rng):
    """3,000 clustered vectors of 24 numbers, float16; two images made it."""
    x = rng.integers(0, 255, (30, 28, 28, 3), dtype=np.uint8)
    config = EmbeddingConfig(pca=DIMS)
    made = lenrek.index((x, np.arange(30) % 3), model=network, out=tmp_path / "store", config=config).store
    assert made.settings.dims == DIMS
    made.remove(where="path LIKE 'x%'")
    add_rows(made, clustered(rng, ROWS))
    return made


def found_by_loops(store, query, k):
    """(path, cosine) of the k nearest, in float64."""
    rows = store.table.read(["path", "vector"])
    cosines = {}
    for path, vector in zip(rows["path"], rows["vector"], strict=True):
        wide = np.array(vector, np.float64)
        cosines[path] = float(wide @ query / np.linalg.norm(wide))
    return sorted(cosines.items(), key=lambda found: -found[1])[:k]


def paths_of(store, ids):
    return [row["path"] for row in store.table.take(ids.tolist(), ["path"])]


def recall(store, queries, k):
    index = store.approximate()
    places, cosines = index.nearest(queries, k)
    right = 0
    for query, place, cosine in zip(queries, places, cosines, strict=True):
        true = dict(found_by_loops(store, query.astype(np.float64), k))
        paths = paths_of(store, index.ids[place])
        assert len(set(paths)) == k
        assert list(cosine) == sorted(cosine, reverse=True)
        for path, one in zip(paths, cosine, strict=True):
            if path in true:
                assert one == pytest.approx(true[path], abs=1e-6)
                right += 1
    return right / len(queries) / k


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_recall_is_what_was_measured(network, tmp_path, rng, storage):
    x = rng.integers(0, 255, (30, 28, 28, 3), dtype=np.uint8)
    config = EmbeddingConfig(pca=DIMS, storage=storage)
    store = lenrek.index((x, np.arange(30) % 3), model=network, out=tmp_path / "store", config=config).store
    every = clustered(rng, ROWS + 25)
    add_rows(store, every[:ROWS])
    said = []
    found = store.build_index(recall=0.9, say=said.append)
    assert (found.k, found.queries) == (100, 256)
    assert found.recall > 0.9
    assert 0.01 < found.rows < 0.5
    assert said[-1].startswith(f"recall@100 {found.recall:.3f} of 256 rows that asked: {found.lists} of 220 lists, ")
    assert recall(store, every[ROWS:], 10) >= 0.9  # 250 neighbours of 25 other queries


def test_all_lists_are_the_exact_search(store, rng):
    store.build_index()
    lists, queries = store.approximate().lists, clustered(rng, 7)
    for query in queries:
        places, cosines = lists.nearest(query, 12, len(lists.centres))
        true = found_by_loops(store, query.astype(np.float64), 12)
        assert paths_of(store, lists.ids[places]) == [path for path, _ in true]
        np.testing.assert_allclose(cosines, [cosine for _, cosine in true], atol=1e-6)


def test_every_row_is_in_the_list_of_its_nearest_centre(store):
    store.build_index()
    lists, vectors = store.approximate().lists, store.vectors()
    assert sorted(lists.ids) == sorted(vectors.ids)
    at = {int(one): place for place, one in enumerate(vectors.ids)}
    unit = vectors.unit()[[at[int(one)] for one in lists.ids]]
    torch.testing.assert_close(lists.rows(np.arange(ROWS)), unit)
    likeness = unit.double() @ lists.centres.double().T
    own = np.repeat(np.arange(len(lists.centres)), np.diff(lists.begins))
    assert (likeness[torch.arange(ROWS), torch.from_numpy(own)] >= likeness.max(1).values - 1e-6).all()


def test_rows_added_later_are_found_and_removed_ones_are_not(store, rng):
    store.build_index()
    queries = clustered(rng, 3)
    add_rows(store, queries[:2], first=ROWS)
    index = store.approximate()
    assert (len(index), len(index.fresh), index.stale) == (ROWS + 2, 2, False)
    places, cosines = index.nearest(queries, 10)
    assert paths_of(store, index.ids[places[:2, 0]]) == ["v3000", "v3001"]
    np.testing.assert_allclose(cosines[:2, 0], 1, atol=1e-3)
    np.testing.assert_allclose(index.at(places[:2, :1])[:, 0], queries[:2], atol=1e-3)
    nearest = [path for path, _ in found_by_loops(store, queries[2], 5)]
    store.remove([*nearest, "v3000"])
    index = store.approximate()
    assert (len(index), len(index.gone)) == (ROWS + 1 - 5, 5)
    places, _ = index.nearest(queries, 10)
    assert not {*nearest, "v3000"} & set(paths_of(store, index.ids[places.ravel()]))
    assert recall(store, queries, 10) > 0.8


def test_a_changed_row_is_found_as_what_it_is(store, rng):
    store.build_index()
    (old, _), new = found_by_loops(store, clustered(rng, 1)[0], 2), clustered(rng, 1)
    number = int(old[0][1:])
    made = records.Record(b"%016d" % number, old[0], None, "a", None, None, Facts(bytes(16), 1, 2, 3, 4))
    store.table.replace(records.rows([made], new.astype(np.float16), store.table.schema))
    index = store.approximate()
    assert (len(index), len(index.gone), len(index.fresh)) == (ROWS, 1, 1)
    places, cosines = index.nearest(new, 100)
    paths = paths_of(store, index.ids[places[0]])
    assert paths[0] == old[0]
    assert len(set(paths)) == 100
    assert cosines[0, 0] == pytest.approx(1, abs=1e-3)


def test_where_all_near_rows_are_gone_more_lists_are_looked_through(store):
    store.build_index()
    index = store.approximate()
    begins, order = index.lists.begins, (index.lists.centres @ index.lists.centres[0]).argsort(descending=True)
    near = [one for i in order[:40].tolist() for one in index.lists.ids[begins[i] : begins[i + 1]].tolist()]
    store.delete([row["key"] for row in store.table.take(near, ["key"])])
    index = store.approximate()
    places, _ = index.nearest(index.lists.centres[:1].numpy(), 10)
    assert not set(near) & set(index.ids[places[0]].tolist())
    assert places.shape == (1, 10)


def test_compaction_gives_rows_other_ids(store, rng):
    """LanceDB's ids are places in files: after those are joined, the index knows nothing, and says so."""
    add_rows(store, clustered(rng, 50), first=ROWS)
    store.build_index()
    store.table.inner.optimize()
    index = store.approximate()
    assert len(index) == ROWS + 50
    assert index.stale or not len(index.fresh)
    assert recall(store, clustered(rng, 3), 10) > 0.8


@pytest.fixture
def images(network, tmp_path):
    """A collection that can be searched by image: 1,200 arrays."""
    rng = np.random.default_rng(8)
    x = rng.integers(0, 90, (1_200, 28, 28, 3), dtype=np.uint8)
    for i in range(len(x)):
        x[i, i % 20 :, :, i % 3] += np.uint8(40 + i % 100)
    made = lenrek.index((x, np.arange(len(x)) % 3), model=network, out=tmp_path / "images").store
    made.build_index()
    return made, x


def test_search_by_image(images, monkeypatch):
    store, x = images
    (exact,), calls = store.search(x[7:8], exact=True), []
    nearest = inverted.InvertedLists.nearest
    monkeypatch.setattr(inverted.InvertedLists, "nearest", lambda *a: calls.append(a[2]) or nearest(*a))
    (hits,) = store.search(x[7:8], expand=2)
    assert hits[0].path == "x[7]"
    assert calls == [2, 10]
    (hits,) = lenrek.open_store(store.path).search(x[7:8])
    assert len({hit.path for hit in hits} & {hit.path for hit in exact}) >= 8
    del calls[:]
    assert store.search(x[7:8], k=101)[0][:9] == store.search(x[7:8], exact=True, k=9)[0].hits
    assert {hit.label for hit in store.search(x[7:8], where="label = '2'")[0]} == {"2"}
    assert not calls


def test_update_builds_it_again_when_it_knows_too_little(images, monkeypatch):
    store, x = images
    more = np.concatenate([x, 255 - x[:100]])
    said = []
    labels = np.arange(len(more)) % 3
    done = lenrek.index((more[:1_250], labels[:1_250]), out=store.path, say=said.append)
    assert len(done.store.approximate().fresh) == 50  # 4 %
    assert not any("recall" in sentence for sentence in said)
    done = lenrek.index((more, labels), out=store.path, say=said.append)
    assert len(done.store.approximate().fresh) == 0
    assert any(sentence.startswith("recall@100") for sentence in said)
    (hits,) = done.store.search(more[-1:])
    assert hits[0].path == "x[1299]"


def test_a_large_store_gets_an_index_by_itself(network, tmp_path, monkeypatch):
    monkeypatch.setattr(approximate, "WORTH_BYTES", 1_000 * 20 * 2)
    x = np.random.default_rng(0).integers(0, 255, (1_010, 28, 28, 3), dtype=np.uint8)
    config = EmbeddingConfig(pca=20)
    y = np.arange(len(x)) % 2
    store = lenrek.index((x[:999], y[:999]), model=network, out=tmp_path / "s", config=config).store
    assert store.approximate() is None
    assert len(lenrek.index((x, y), out=tmp_path / "s").store.approximate().lists) == 1_010


def damage_nothing(folder):
    pass


def damage_vectors(folder):
    (file,) = folder.glob("vectors-*")
    content = bytearray(file.read_bytes())
    for i in range(0, len(content), 1_000):
        content[i] ^= 4
    file.write_bytes(content)


def cut_vectors(folder):
    (file,) = folder.glob("vectors-*")
    os.truncate(file, file.stat().st_size - 1)


def lose_vectors(folder):
    next(folder.glob("vectors-*")).unlink()


def damage_lists(folder):
    content = bytearray((folder / "lists.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "lists.safetensors").write_bytes(content)


def empty_lists(folder):
    (folder / "lists.safetensors").write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_nothing, None),
        (damage_vectors, "the approximate index was altered after it was written"),
        (cut_vectors, "the approximate index is cut short"),
        (lose_vectors, "the approximate index is damaged"),
        (damage_lists, "the approximate index is damaged"),
        (empty_lists, "the approximate index is damaged"),
    ],
)
def test_a_damaged_index_costs_time_and_nothing_else(images, damage, said):
    store, x = images
    exact = store.search(x[3:4], exact=True)
    damage(Path(store.path, "approximate"))
    opened = lenrek.open_store(store.path)
    found = opened.search(x[3:4])
    if said is None:
        assert opened.problems == []
        return
    assert found == exact
    (problem,) = opened.problems
    hint = f"Hint: lenrek index approximate {store.path} builds it anew."
    assert problem.message == f"{said}: all rows were compared instead.\n  {hint}"
    opened.build_index()
    opened.search(x[3:4])
    assert opened.problems == []
    assert len(list(Path(store.path, "approximate").glob("vectors-*"))) == 1


def test_an_index_of_another_store_is_not_used(images, network, tmp_path):
    store, x = images
    config = EmbeddingConfig(pooling="max")
    other = lenrek.index((x, np.arange(len(x)) % 3), model=network, out=tmp_path / "other", config=config).store
    Path(store.path, "approximate").rename(Path(other.path, "approximate"))
    assert other.search(x[3:4]) == other.search(x[3:4], exact=True)
    other.search(x[3:4])
    assert "belongs to another store" in other.problems[0].message


KILLED = """
import os, signal, sys
from lenrek.search import inverted_build
from lenrek.search.store import open_store
store, name, left = open_store(sys.argv[1]), sys.argv[2], int(sys.argv[3])
inner = getattr(inverted_build, name)
def step(*arguments, **options):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return inner(*arguments, **options)
setattr(inverted_build, name, step)
store.build_index()
"""


def test_kill_9_while_building(store, rng):
    """While the vectors are written, and right after the index was put in its place."""
    store.build_index(recall=0.5)
    folder, query = Path(store.path, "approximate"), clustered(rng, 1)
    for name, call, aimed in (("checksum", rng.integers(1, 219), 0.5), ("_unlink", 2, 0.95)):
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, store.path, name, str(call)], capture_output=True, text=True, check=False
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert len(list(folder.glob("vectors-*"))) == 2  # what was being made, or what was in use before
        opened = lenrek.open_store(store.path)
        index = opened.approximate()
        assert (index.lists.aimed, len(opened), len(index.fresh)) == (aimed, ROWS, 0)
        places, _ = index.nearest(query, 10)
        assert len(set(paths_of(opened, index.ids[places[0]]))) == 10
    store.build_index()
    assert len(list(folder.glob("vectors-*"))) == 1


def test_building_with_no_room_or_no_sense(store, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inverted_build, "checksum", full)
    with pytest.raises(StoreError, match=r"approximate: cannot be written: No space left on device\.$"):
        store.build_index()
    monkeypatch.undo()
    assert not list(Path(store.path, "approximate").glob("vectors-*"))
    with pytest.raises(OptionError, match=r"index: recall is 1\.0, expected above 0 and below 1"):
        store.build_index(recall=1.0)
    folder = inverted.folder_of(store.path)
    with sole_builder(folder), pytest.raises(StoreError, match="another process is building the index"):
        store.build_index()
    store.remove([f"v{i}" for i in range(2_001)])
    with pytest.raises(OptionError, match=r"holds 999 rows, an approximate index takes at least 1,000\.\n  Hint: so"):
        store.build_index()
    assert store.approximate() is None


def test_rows_may_change_while_it_is_built(store, rng, monkeypatch):
    """Also while the rows are sorted: what is built knows of which rows it is."""
    assign_, done = inverted_build.assign, []

    def meanwhile(x, centres):
        if not done:
            done.append(store.remove(["v5"]))
            add_rows(store, clustered(rng, 1), first=ROWS)
        return assign_(x, centres)

    monkeypatch.setattr(inverted_build, "assign", meanwhile)
    store.build_index()
    index = store.approximate()
    assert (len(index.lists), len(index.gone), len(index.fresh), len(index)) == (ROWS, 1, 1, ROWS)


def test_remote_stores_keep_it_in_the_cache(monkeypatch, tmp_path):
    folder = inverted.folder_of("s3://bucket/store")
    assert folder.is_relative_to(tmp_path / "cache")
    assert folder != inverted.folder_of("s3://bucket/other")


def test_clusters_without_rows_begin_again(rng):
    x = torch.from_numpy(np.repeat(clustered(rng, 3), 50, axis=0))
    centres = cluster(x, 5, seed=1)
    assert centres.isfinite().all()
    torch.testing.assert_close(centres.norm(dim=1), torch.ones(5))
    chosen, cosine = assign(x, centres)
    torch.testing.assert_close(cosine, torch.ones(150))
    assert len({*chosen.tolist()}) == 3


def test_any_changed_byte_changes_the_checksum(rng):
    content = rng.integers(0, 256, 53, dtype=np.uint8)  # no multiple of eight
    whole = inverted.checksum(content)
    for place in range(len(content)):
        content[place] ^= 1 << place % 8
        assert inverted.checksum(content) != whole
        content[place] ^= 1 << place % 8


def test_zeros_are_kept_and_never_near(store, rng):
    add_rows(store, np.zeros((4, DIMS), np.float32), first=ROWS)
    store.build_index()
    index = store.approximate()
    assert len(index.lists) == ROWS + 4
    assert index.lists.scales.isfinite().all()
    places, cosines = index.nearest(clustered(rng, 4), 10)
    assert (cosines > 0).all()
    assert not {f"v{ROWS + i}" for i in range(4)} & set(paths_of(store, index.ids[places.ravel()]))
