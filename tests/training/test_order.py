"""What each process loads in an epoch, and which samples are mixed."""

import numpy as np
import pytest
import torch

from lenrek.data.samples import Batch
from lenrek.training import processes
from lenrek.training.order import EpochPlan, epoch_order, plan_epoch, times_before


def test_the_order_is_of_seed_and_epoch() -> None:
    indices = np.array([2, 5, 7, 11, 13, 17, 19])
    orders = [tuple(epoch_order(indices, seed, epoch)) for seed in (0, 1) for epoch in (0, 1, 2)]
    assert len(set(orders)) == 6
    assert all(sorted(order) == indices.tolist() for order in orders)
    assert orders[1] == tuple(epoch_order(indices, 0, 1))


def test_times_before_counts_as_a_loop_does() -> None:
    order = np.random.default_rng(3).integers(0, 9, 70)
    expected = [int((order[:place] == one).sum()) for place, one in enumerate(order)]
    assert times_before(order).tolist() == expected


def batches(plan: EpochPlan, damaged: tuple[int, ...] = ()) -> list[Batch]:
    """As `Samples` cut the plan's order, without the damaged ones."""
    cut = []
    for start in range(0, len(plan.order), plan.loaded):
        place = np.array([p for p in range(start, start + plan.loaded) if plan.order[p] not in damaged])
        if len(place):
            index = plan.order[place]
            cut.append(Batch(torch.zeros(len(index)), torch.from_numpy(index), index, place))
    return cut


def pairs(plan: EpochPlan, damaged: tuple[int, ...] = ()) -> dict[int, list[tuple[int, int]]]:
    """Per step the source indices that are mixed: (own, other)."""
    found = {}
    for batch in batches(plan, damaged):
        own, other = plan.pairs(batch)
        found[plan.step(batch)] = list(zip(batch.index[own].tolist(), batch.index[other].tolist(), strict=True))
    return found


ORDER = np.array([31, 12, 45, 3, 22, 9, 7, 18, 50, 26, 5, 40, 99])  # two steps of 6, and one that waits


@pytest.mark.parametrize("num_processes", [1, 2, 3])
def test_each_sample_is_mixed_with_the_next_one_of_its_step_in_any_number_of_processes(
    num_processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "world_size", lambda: num_processes)
    steps: dict[int, list[tuple[int, int]]] = {0: [], 1: []}
    for rank in range(num_processes):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        plan = plan_epoch(ORDER, 6, mixed=True)
        assert (plan.steps, plan.share, plan.loaded) == (
            2,
            6 // num_processes,
            6 if num_processes == 1 else 12 // num_processes,
        )
        for step, found in pairs(plan).items():
            steps[step] += found
    assert sorted(steps[0]) == sorted([(31, 12), (12, 45), (45, 3), (3, 22), (22, 9), (9, 31)])
    assert sorted(steps[1]) == sorted([(7, 18), (18, 50), (50, 26), (26, 5), (5, 40), (40, 7)])


def test_without_mixing_nothing_more_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "world_size", lambda: 2)
    monkeypatch.setattr(processes, "rank", lambda: 1)
    plan = plan_epoch(ORDER, 6, mixed=False)
    assert plan.order.tolist() == [12, 3, 9, 18, 26, 40]
    assert (plan.steps, plan.loaded) == (2, 3)


def test_what_is_damaged_leaves_the_others_where_they_are() -> None:
    plan = plan_epoch(ORDER, 6, mixed=True)
    assert pairs(plan, damaged=(45, 9)) == {
        0: [(31, 12), (12, 12), (3, 22), (22, 22)],  # those whose next one is missing stay as they are
        1: [(7, 18), (18, 50), (50, 26), (26, 5), (5, 40), (40, 7)],
    }
    assert list(pairs(plan, damaged=(31, 12, 45, 3, 22, 9))) == [1]  # the step keeps its number


def test_copies_are_counted_over_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    order = np.array([4, 4, 8, 4, 8, 4])
    monkeypatch.setattr(processes, "world_size", lambda: 2)
    found = []
    for rank in (0, 1):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        plan = plan_epoch(order, 2, mixed=False)
        found += list(zip(plan.order.tolist(), plan.copy.tolist(), strict=True))
    assert sorted(found) == [(4, 0), (4, 1), (4, 2), (4, 3), (8, 0), (8, 1)]
