"""Lane-steps counted by hand on small queues."""

import numpy as np

from benchmarks.workloads.schedule import lockstep, refilled


def test_a_plain_loop_waits_for_the_slowest():
    assert lockstep(np.array([2, 9, 3])) == 27


def test_refilled_lanes_take_the_next_fit_when_free():
    # Two lanes: 2+3+2 beside 6 -> 7 iterations.
    assert refilled(np.array([2, 6, 3, 2]), 2) == 14


def test_one_lane_wastes_nothing_and_more_lanes_than_fits_are_not_counted():
    steps = np.array([4, 1, 7])
    assert refilled(steps, 1) == steps.sum()
    assert refilled(steps, 8) == lockstep(steps)
