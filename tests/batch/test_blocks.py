"""Blocks and buckets: every data set once, little padding, nothing lost."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mvopt.batch import blocks as module
from mvopt.batch.blocks import blocks, buckets, padded_length, room_for, rows_a_block
from mvopt.batch.datasets import of_groups, of_rows


def ragged(count=300, seed=5):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 80, count)
    number = np.repeat(np.arange(count), lengths)
    total = len(number)
    values = np.arange(total, dtype=float)
    return of_groups(
        pa.table({"id": np.arange(count)}),
        number,
        [values, -values],
        10 * values,
        {"sigma": 1 + values},
        rng.random(total) < 0.9,
        {"a": values},
    )


def test_padding_adds_less_than_a_quarter_and_has_few_lengths():
    lengths = np.arange(1, 5000)
    padded = padded_length(lengths)
    assert (padded >= lengths).all()
    assert (padded[15:] < 1.25 * lengths[15:]).all()
    assert np.unique(padded)[:8].tolist() == [8, 16, 20, 24, 28, 32, 40, 48]
    assert (padded_length(padded) == padded).all()


def test_every_data_set_is_in_one_bucket_with_its_points(monkeypatch):
    monkeypatch.setattr(module, "_POINTS_A_BLOCK", 1000)
    data = ragged()
    seen, count = [], 0
    for block in blocks(data):
        count += 1
        for bucket in buckets(data.part(block)):
            bucket = replace(bucket, index=block.start + bucket.index)
            assert set(bucket.index) <= set(block)
            seen += bucket.index.tolist()
            assert bucket.x.shape == (len(bucket.index), 2, bucket.y.shape[1])
            for row, number in enumerate(bucket.index):
                points = slice(data.offsets[number], data.offsets[number + 1])
                used = bucket.mask[row]
                expected = data.mask[points]
                assert used.sum() == expected.sum()
                assert bucket.y[row, used].tolist() == data.y[points][expected].tolist()
                sigma = bucket.extras["sigma"][row, used]
                assert sigma.tolist() == data.extras["sigma"][points][expected].tolist()
                assert bucket.x[row][:, used].tolist() == data.x[:, points][:, expected].tolist()
                assert np.isin(bucket.y[row], data.y[points]).all()
                assert bucket.starts["a"][row] == data.starts["a"][number]
                assert data.starts["a"][number] == data.x[0, points][0]
    assert count > 10
    assert sorted(seen) == list(range(len(data)))


def test_blocks_cover_the_data_sets_in_order(monkeypatch):
    monkeypatch.setattr(module, "_DATA_SETS_A_BLOCK", 7)
    found = list(blocks(ragged(100)))
    assert [number for block in found for number in block] == list(range(100))
    assert max(len(block) for block in found) == 7


def test_a_data_set_larger_than_a_block_has_one_of_its_own(monkeypatch):
    monkeypatch.setattr(module, "_POINTS_A_BLOCK", 3)
    assert [len(block) for block in blocks(ragged(4))] == [1, 1, 1, 1]


@pytest.mark.parametrize("shared", [True, False])
def test_rows_are_not_copied_through_an_index_nor_padded_where_x_is_shared(shared):
    y = np.arange(15.0).reshape(3, 5)
    x = np.arange(5.0)[None] if shared else np.stack([y])
    data = of_rows(pa.table({"id": [1, 2, 3]}), x, y, {}, None)
    (block,) = blocks(data)
    (bucket,) = buckets(data.part(block))
    assert bucket.y.shape == ((3, 5) if shared else (3, 8))
    assert bucket.x.shape == ((5,) if shared else (3, 8))
    assert bucket.mask.sum() == 15
    assert np.shares_memory(bucket.y, y) == shared


def test_a_short_last_block_has_the_room_of_the_others():
    def bucket(rows, points=25):
        y = np.zeros((rows, points))
        table = pa.table({"id": np.arange(rows)})
        (found,) = buckets(of_rows(table, np.zeros((1, points)), y, {}, None))
        return found

    whole = rows_a_block(25, shared_x=True)
    assert whole == 65536
    assert [room_for(bucket(rows)) for rows in (whole, 40000, 16960)] == [whole] * 3
    assert room_for(bucket(16384)) == room_for(bucket(5000)) == whole // 4
    assert [room_for(bucket(rows)) for rows in (1, 3, 5)] == [1, 4, 16]
    assert room_for(bucket(2, 10**6)) == 2
