"""`lenrek data check DATA`: what is in a folder, and what is wrong with it, before anything is trained."""

from __future__ import annotations

from typing import Annotated

import typer

from lenrek.cli.console import emit, table
from lenrek.data.shown import counted, shown


def check(
    source: Annotated[str, typer.Argument(metavar="DATA", help="As for train.")],
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first damaged file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Classes, sizes, damaged files, exact duplicates and conflicting labels."""
    import numpy as np

    from lenrek.data.check import check_source
    from lenrek.data.open import open_source
    from lenrek.data.problems import count_damaged

    found = open_source(source, strict=strict)
    problems = [*found.problems, *check_source(found)]
    counts = np.bincount(found.labels, minlength=len(found.classes)).tolist()
    if json:
        emit({
            "name": found.name, "kind": found.kind, "samples": len(found), "channels": found.channels,
            "classes": dict(zip(found.classes, counts, strict=True)),
            "sizes": {"min": found.sizes.min(0).tolist(), "max": found.sizes.max(0).tolist()},
            "problems": [{"kind": p.kind, "message": p.message, "samples": list(p.samples)} for p in problems],
        })  # fmt: skip
        return
    smallest, largest = ("×".join(map(str, size)) for size in (found.sizes.min(0), found.sizes.max(0)))
    sizes = smallest if smallest == largest else f"{smallest} to {largest}"
    channels = counted(found.channels, "channel")
    damaged = count_damaged(problems)
    left_out = f"; {counted(damaged, f'damaged {found.kind}')} left out" if damaged else ""
    print(f"{shown(found.name)}: {counted(len(found), found.kind)} of {sizes}, {channels}{left_out}\n")
    rows = [[name, f"{count:,}"] for name, count in zip(found.classes, counts, strict=True)]
    table(["class", "samples"], rows, numeric=(1,))
    print()
    if problems:
        table(["kind", "problem"], [[p.kind, p.message] for p in problems])
    else:
        print("no problems found")
