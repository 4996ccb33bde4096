"""Search over a million vectors: exact beside FAISS flat, approximate beside FAISS-HNSW, usearch and LanceDB's indexes.

    pip install faiss-cpu usearch
    python benchmarks/search_speed.py

Needs cifar10-jpeg.tar.gz under LENREK_DATA, SqueezeNet 1.1 under LENREK_WEIGHTS, 12 GB of memory and of disk; writes
benchmarks/results/search_speed.md. The vectors are those of photos, not noise: SqueezeNet's 512 numbers (GeM) of two
random crops of each of 59,000 CIFAR-10 photos at 64 px; beyond that, points between two rows of one group of
neighbours. 1,000 other photos ask. Every engine runs in a process of its own with all cores; those that are compared
answer the same 50 queries in turns, one query at a time; medians over rounds. Approximate engines get the smallest
setting that finds 95 % of the true ten nearest of the first 500 queries, and are timed and judged on the last 500.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from lenrek.data.stream import available_cores

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("LENREK_DATA", ROOT.parent / "shared" / "data"))
WEIGHTS = Path(os.environ.get("LENREK_WEIGHTS", ROOT.parent / "shared" / "weights"))
RESULT = ROOT / "benchmarks" / "results" / "search_speed.md"
FOLDER = Path(os.environ.get("LENREK_BENCHMARK_FOLDER", "/tmp/lenrek-search-benchmark"))
MILLION, FEWER, ASKED, K, ROUNDS, SAME = 1_000_000, 200_000, 1_000, 10, 7, 50
SETTINGS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


# The vectors.


def make_vectors() -> None:
    """queries.npy and vectors.npy (a million rows), float16, in FOLDER."""
    if (FOLDER / "vectors.npy").exists():
        return
    real = FOLDER / "real.npy"
    if not real.exists():
        embed_crops(real)
    known = torch.from_numpy(np.load(real)).float()
    known = known[torch.randperm(len(known), generator=torch.Generator().manual_seed(2))]
    from lenrek.search.clustering import assign, cluster

    group, _ = assign(known, cluster(known[:32_000], 1_000))
    order = group.argsort()
    begins = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(group, minlength=1_000).cumsum(0)])
    made = np.lib.format.open_memmap(FOLDER / "part.npy", "w+", np.float16, (MILLION, known.shape[1]))
    made[: len(known)] = known
    rng = torch.Generator().manual_seed(3)
    for first in range(len(known), MILLION, 20_000):
        one = torch.randint(len(known), (min(20_000, MILLION - first),), generator=rng)
        length = begins[group[one] + 1] - begins[group[one]]
        mate = order[begins[group[one]] + (torch.rand(len(one), generator=rng) * length).long()]
        between = torch.rand(len(one), 1, generator=rng)
        made[first : first + len(one)] = F.normalize(known[one].lerp(known[mate], between))
    made.flush()
    (FOLDER / "part.npy").rename(FOLDER / "vectors.npy")


def embed_crops(real: Path) -> None:
    from lenrek.data.load import load_samples
    from lenrek.data.open import open_source
    from lenrek.models.contract import InputContract
    from lenrek.models.pretrained import load_pretrained
    from lenrek.search.embedding import Embedder, EmbeddingConfig

    network: Any = load_pretrained(f"squeezenet1_1:{WEIGHTS / 'squeezenet1_1-imagenet.safetensors'}")
    embedder = Embedder(network, network.contract, EmbeddingConfig(size=(64, 64), pca=None))
    photos = open_source(photo_folder())
    pixels = InputContract(3, (32, 32), (0.0,) * 3, (1.0,) * 3, photos.classes)
    x = torch.from_numpy(load_samples(photos, pixels, mode="resident").x)  # type: ignore[attr-defined]
    by_chance = torch.Generator().manual_seed(0)
    order, rng = torch.randperm(len(x), generator=by_chance), torch.Generator().manual_seed(1)

    def embedded(some: torch.Tensor, side: int) -> np.ndarray:
        top, left = (int(torch.randint(0, 33 - side, (1,), generator=rng)) for _ in range(2))
        seen = x[some][:, :, top : top + side, left : left + side].float()
        seen = F.interpolate(seen, (64, 64), mode="bilinear", antialias=True).round().clamp(0, 255).to(torch.uint8)
        return embedder(seen).numpy().astype(np.float16)

    np.save(FOLDER / "queries.npy", np.concatenate([embedded(part, 32) for part in order[:ASKED].split(256)]))
    sides = torch.randint(22, 33, (4 * len(x),), generator=rng).tolist()
    parts = [part for _ in range(2) for part in order[ASKED:].split(128)]
    np.save(real, np.concatenate([embedded(part, side) for part, side in zip(parts, sides, strict=False)]))


def photo_folder() -> Path:
    if not (FOLDER / "cifar10-jpeg").exists():
        with tarfile.open(DATA / "cifar10-jpeg.tar.gz") as archive:
            archive.extractall(FOLDER, filter="data")
    return FOLDER / "cifar10-jpeg"


def vectors(rows: int) -> tuple[np.ndarray, np.ndarray]:
    return np.load(FOLDER / "vectors.npy", mmap_mode="r")[:rows], unit(np.load(FOLDER / "queries.npy"))


def unit(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float32)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


# The engines: each answers one query (dims,) with the numbers of its ten nearest rows.


def lenrek_store(rows: int) -> Any:
    """A store of the first `rows` vectors, made once."""
    import lenrek
    from lenrek.search import records
    from lenrek.search.collection import Facts
    from lenrek.search.embedding import EmbeddingConfig

    path = FOLDER / f"store-{rows}"
    if path.exists():
        return lenrek.open_store(path)
    from lenrek.models.pretrained import load_pretrained

    network: Any = load_pretrained(f"squeezenet1_1:{WEIGHTS / 'squeezenet1_1-imagenet.safetensors'}")
    pixels = np.zeros((2, 3, 64, 64), np.uint8)
    config = EmbeddingConfig(size=(64, 64), pca=None)
    store = lenrek.index((pixels, np.arange(2)), model=network, out=path, config=config).store
    store.remove(where="path LIKE 'x%'")
    x, _ = vectors(rows)
    for first in range(0, rows, 50_000):
        part = np.array(x[first : first + 50_000])
        made = [
            records.Record(b"%016d" % i, str(i), None, None, None, None, Facts(b"%016d" % i, 0, 0, 0, 0))
            for i in range(first, first + len(part))
        ]
        store.table.append(records.rows(made, part, store.table.schema))
    return store


def lenrek_exact(rows: int) -> Callable[[np.ndarray], np.ndarray]:
    from lenrek.search.exact import Vectors

    known = Vectors(np.arange(rows), np.array(vectors(rows)[0]))
    return lambda query: known.nearest(query[None], K)[0][0]


def lenrek_approximate(rows: int) -> Callable[[np.ndarray], np.ndarray]:
    store = lenrek_store(rows)
    if store.approximate() is None:
        built(lambda: store.build_index(say=lambda sentence: print(sentence, file=sys.stderr, flush=True)))
    index = store.approximate()
    numbers = {
        one: int(path) for one, path in zip(*map(store.table.read(["path"]).get, ("_rowid", "path")), strict=False)
    }
    number = np.array([numbers[int(one)] for one in index.ids])
    return lambda query: number[index.nearest(query[None], K)[0][0]]


def faiss_flat(rows: int) -> Callable[[np.ndarray], np.ndarray]:
    import faiss

    faiss.omp_set_num_threads(available_cores())
    known = faiss.IndexFlatIP(512)
    for part in np.array_split(vectors(rows)[0], 20):
        known.add(unit(part))
    return lambda query: known.search(query[None], K)[1][0]


def faiss_hnsw(rows: int) -> Any:
    import faiss

    faiss.omp_set_num_threads(available_cores())
    known = faiss.IndexHNSWFlat(512, 32, faiss.METRIC_INNER_PRODUCT)
    known.hnsw.efConstruction = 80
    built(lambda: known.add(unit(vectors(rows)[0])))

    def settle(setting: int) -> None:
        known.hnsw.efSearch = setting

    return lambda query: known.search(query[None], K)[1][0], settle


def usearch(rows: int) -> Any:
    from usearch.index import Index

    known = Index(ndim=512, metric="cos", dtype="f16")  # its own defaults: 16 neighbours, 128 looked at while adding
    built(lambda: known.add(np.arange(rows), np.array(vectors(rows)[0]), threads=available_cores()))

    def settle(setting: int) -> None:
        known.expansion_search = setting

    return lambda query: np.asarray(known.search(query.astype(np.float16), K).keys), settle


def lancedb_index(rows: int, kind: str) -> Any:
    import lancedb
    import pyarrow as pa

    x = np.array(vectors(rows)[0])
    flat = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 512)
    known = lancedb.connect(FOLDER / f"lance-{kind}").create_table(
        "x", pa.table({"vector": flat, "n": np.arange(rows)}), mode="overwrite"
    )
    parts = max(1, rows // (8_192 if kind == "IVF_PQ" else 50_000))
    built(lambda: known.create_index("cosine", vector_column_name="vector", index_type=kind, num_partitions=parts,
                                     **({"num_sub_vectors": 64} if kind == "IVF_PQ" else {})))  # fmt: skip
    chosen = [0]

    def ask(query: np.ndarray) -> np.ndarray:
        asked = known.search(query.astype(np.float16), vector_column_name="vector").distance_type("cosine").limit(K)
        if kind == "IVF_PQ":
            asked = asked.nprobes(max(1, chosen[0] // 4)).refine_factor(5)
        else:
            asked = asked.nprobes(parts).ef(chosen[0])
        return asked.select(["n"]).to_arrow().column("n").to_numpy()

    def settle(setting: int) -> None:
        chosen[0] = setting

    return ask, settle


ENGINES: dict[str, Callable[[int], Any]] = {
    "lenrek exact": lenrek_exact,
    "FAISS flat": faiss_flat,
    "lenrek approximate": lenrek_approximate,
    "FAISS HNSW": faiss_hnsw,
    "usearch": usearch,
    "LanceDB IVF_HNSW_SQ": lambda rows: lancedb_index(rows, "IVF_HNSW_SQ"),
    "LanceDB IVF_PQ": lambda rows: lancedb_index(rows, "IVF_PQ"),
}
BUILD_S = [0.0]  # of all cores together


def built(build: Callable[[], object]) -> None:
    start = time.process_time()
    build()
    BUILD_S[0] = time.process_time() - start


def serve(name: str, rows: int) -> None:
    """Answer lines of [first query, how many] with their times and what was found."""
    queries = unit(np.load(FOLDER / "queries.npy"))
    engine = ENGINES[name](rows)
    setting = None
    if isinstance(engine, tuple):
        ask, settle = engine
        true = np.load(FOLDER / f"true-{rows}.npy")[: ASKED // 2]
        for setting in SETTINGS:
            settle(setting)
            if recall([ask(query) for query in queries[: ASKED // 2]], true) >= 0.95:
                break
    else:
        ask = engine
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"build_s": BUILD_S[0], "setting": setting, "peak_mb": peak}), flush=True)
    for line in sys.stdin:
        first, count = json.loads(line)
        times, found = [], []
        for query in queries[first : first + count]:
            start = time.perf_counter()
            nearest = ask(query)
            times.append(time.perf_counter() - start)
            found.append(list(map(int, nearest)))
        print(json.dumps([times, found]), flush=True)


def recall(found: Any, true: np.ndarray) -> float:
    return float(np.mean([len({*map(int, a)} & {*map(int, b)}) / K for a, b in zip(found, true, strict=True)]))


class Engine:
    """One of ENGINES in a process of its own."""

    def __init__(self, name: str, rows: int) -> None:
        command = [sys.executable, __file__, "serve", name, str(rows)]
        self.name, self.times, self.found = name, [], {}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = json.loads(self._read())
        print(name, rows, self.about, flush=True)

    def ask(self, first: int, count: int) -> None:
        print(json.dumps([first, count]), file=self.process.stdin, flush=True)
        times, found = json.loads(self._read())
        self.times.append(1e3 * statistics.median(times))
        self.found |= dict(enumerate(found, first))

    def _read(self) -> str:
        return self.process.stdout.readline()

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def compare(names: list[str], rows: int) -> dict[str, Engine]:
    engines = {name: Engine(name, rows) for name in names}
    for turn in range(ROUNDS + 1):
        for engine in engines.values():
            engine.ask(ASKED // 2 + SAME * turn, SAME)
            if not turn:
                engine.times.clear()  # what has to be read once
    for engine in engines.values():
        engine.end()
    return engines


def truth(rows: int) -> np.ndarray:
    file = FOLDER / f"true-{rows}.npy"
    if not file.exists():
        from lenrek.search.exact import Vectors

        x, queries = vectors(rows)
        np.save(file, Vectors(np.arange(rows), np.array(x)).nearest(queries, K)[0])
    return np.load(file)


def report(engines: dict[str, Engine], rows: int, base: str) -> list[str]:
    true, lines = truth(rows), []
    for engine in engines.values():
        ratio = statistics.median(a / b for a, b in zip(engines[base].times, engine.times, strict=True))
        right = recall(engine.found.values(), true[list(engine.found)])
        build = f"{engine.about['build_s']:.0f} s" if engine.about["build_s"] else "–"
        lines.append(
            f"| {ratio:.1f} | {engine.name} | {statistics.median(engine.times):.2f} | {right:.3f} | {build} "
            f"| {engine.about['peak_mb']:,.0f} |"
        )
    return lines


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    make_vectors()
    columns = (
        "| rate / {} | engine | ms per query | recall@10 | build, CPU time | peak memory, MB |\n" + 6 * "|---" + "|"
    )
    lines = [
        "# Speed of search",
        "",
        f"{cpu()}, {available_cores()} cores; Python {platform.python_version()}, torch {version('torch')}, lancedb "
        f"{version('lancedb')}, faiss-cpu {version('faiss-cpu')}, usearch {version('usearch')}.  ",
        f"`python benchmarks/search_speed.py`, {ROUNDS} rounds of {SAME} queries, one query at a time, medians; "
        f"{time.strftime('%Y-%m-%d')}.",
    ]
    for rows, names in (
        (MILLION, ["FAISS flat", "lenrek exact", "lenrek approximate"]),
        (FEWER, [name for name in ENGINES]),
    ):
        truth(rows)
        engines = compare(names, rows)
        lines += ["", f"## {rows:,} × 512", "", columns.format("lenrek exact"), *report(engines, rows, "lenrek exact")]
        RESULT.write_text("\n".join([*lines, ""]))
        print(RESULT.read_text())


def cpu() -> str:
    fields = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    return next(value.strip() for name, value in fields.items() if name.startswith("model name"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main()
