"""Configurations and files that are nearly right: by a user's slip or a bad disk."""

import io
import json
import math
import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

CONFIGS = [
    """
[data]
path = "{data}"
dataset = "id"
x = "x"
y = "y"
sigma = "s"
[model]
name = "exponential_decay"
[parameters.decay]
init = 1.0
min = 0.1
max = 10
[fit]
loss = "huber"
max_steps = 50
precision = "float64"
[output]
path = "out"
csv = true
""",
    """
[data]
path = "{data}"
layout = "wide"
x = [0.0, 1.0, 2.0, 3.0]
y = "y*"
[model]
expression = "a*exp(-b*x) + c"
[parameters.a]
prior = [1.0, 0.5]
[parameters.c]
tied = "0.1*a"
[fit]
absolute_sigma = true
[output]
path = "out"
intervals = "t"
level = 0.9
figures = ["aic", "r_squared"]
""",
    """
[data]
path = "{data}"
y = "y"
[model]
name = "polynomial"
degree = 1
[output]
path = "out"
""",
]
VALUES = [
    *("0", "-1", "2", "0.5", "1e400", "nan", "-inf", "true", "''", '"x"', '"y"', '"id"', "[]"),
    *("[1.0]", "[[1.0], [2]]", "[0.5, 2.0]", "{a = 1}", '"../../../etc"', '"/dev/null"', '"*"'),
    *('"[\'"', '"lists"', '"long"', '"wide"', '"huber"', '"tukey"', '"poisson"', '"binomial"'),
    *('"profile"', '"t"', '"mixed"', '"float32"', '"linear"', '"gaussian"', '"adc"', "9" * 400),
    *('"a*b"', '"a + b*x"', '"log(a*x)"', '"where(x < a, b, c)"', '"x**x"', '"(((("', '"c/a"'),
    *('"' + "(" * 3000 + '"', '"' + "é" * 3000 + '"', '"x"' * 3, "1979-05-27", '"__import__"'),
    *('"os:system"', '"a\\u0000b"', '["x", "y"]', '["x", 3]', "1_000_000", "0x7f", '["aic"]'),
]


# Values that a key may have, of which some do not go together.
ALLOWED: dict[str, dict[str, list[Any]]] = {
    "data": {
        "layout": ["long", "wide", "lists"],
        "dataset": ["id", "x", ["id", "x"], "y0"],
        "x": ["x", "log(x + 1)", ["x", "id"], [0.0, 1.0, 2.0, 3.0], "y0"],
        "y": ["y", "2*y", "y*", ["y0", "y1"], "id"],
        "sigma": ["s", 0.5, 0.0, -1.0, "y*", "x - 1"],
        "sigma_x": ["s", 0.5, 0.0, "y*"],
        "trials": [9.0, 0.0, "x", "y*"],
        "mask": ["x", "id", "y*"],
    },
    "model": {
        "name": ["linear", "gaussian", "adc", "logistic3", "polynomial", "gaussian_2d", "sine"],
        "degree": [0, 3, 20],
        "expression": ["a*exp(-b*x) + c", "c/a + b*x", "log(a*x) + b + c", "a*x0 + b*x1 + c"],
        "function": ["math:sin", "os:getcwd", "nothing:at_all"],
        "parameters": [["a"], ["a", "b"], []],
    },
    "fit": {
        "loss": ["linear", "huber", "soft_l1", "cauchy", "tukey", "poisson", "binomial"],
        "threshold": [0.5, 1e-300, 1e300],
        "scale": [0.1, 1e300],
        "absolute_sigma": [True, False],
        "max_steps": [1, 1_000_000],
        "precision": ["float32", "float64", "mixed"],
    },
    "output": {
        "intervals": ["t", "profile"],
        "level": [0.5, 1e-12, 0.999999999999],
        "figures": [["r_squared", "aic"], ["aic", "aic"]],
        "csv": [True],
    },
}
PARAMETER = {
    "init": [0.0, 1.0, -1e308, "y", "id", "no such column"],
    "min": [0.0, 5.0, -math.inf],
    "max": [0.0, 5.0, math.inf],
    "fixed": [True],
    "tied": ["2*a", "b", "decay", "1"],
    "prior": [[0.0, 1.0], [1.0, math.inf]],
}
NAMES = ["a", "b", "c", "decay", "amplitude", "slope", "c0", "c1"]


def combined(rng: np.random.Generator, base: str) -> bytes:
    """A configuration with one to four keys more, or other values of them."""
    content = tomllib.loads(base)
    for _ in range(rng.integers(1, 5)):
        table = ["data", "model", "fit", "output", "parameters"][rng.integers(5)]
        keys, place = (ALLOWED.get(table, PARAMETER), content.setdefault(table, {}))
        if table == "parameters":
            place = place.setdefault(NAMES[rng.integers(len(NAMES))], {})
        key = list(keys)[rng.integers(len(keys))]
        if table == "model" and key in ("name", "expression", "function"):
            content["model"] = place = {}
        place[key] = keys[key][rng.integers(len(keys[key]))]
        if rng.random() < 0.2:
            place.pop(list(place)[rng.integers(len(place))])
    parameters = content.pop("parameters", {})
    tables = {**content, **{f"parameters.{name}": keys for name, keys in parameters.items()}}
    lines = []
    for name, keys in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {_value(value)}" for key, value in keys.items()]
    return "\n".join(lines).encode()


def _value(value: Any) -> str:
    return json.dumps(value).replace("Infinity", "inf")


def text(rng: np.random.Generator, base: str) -> bytes:
    """A configuration with one or two slips."""
    lines = base.strip().split("\n")
    for _ in range(rng.integers(1, 3)):
        i = int(rng.integers(len(lines)))
        key = lines[i].split("=")[0]
        slip = rng.random()
        if slip < 0.5 and "=" in lines[i]:
            lines[i] = f"{key}= {VALUES[rng.integers(len(VALUES))]}"
        elif slip < 0.6:
            lines.insert(int(rng.integers(len(lines) + 1)), lines.pop(i))
        elif slip < 0.7:
            del lines[i]
        elif slip < 0.85:
            at = int(rng.integers(len(lines[i])))
            lines[i] = lines[i][:at] + chr(int(rng.integers(32, 600))) + lines[i][at + 1 :]
        else:
            lines.insert(i, lines[int(rng.integers(len(lines)))])
    content = "\n".join(lines).encode()
    return damaged(rng, content) if rng.random() < 0.05 else content


def damaged(rng: np.random.Generator, content: bytes, head: int = 400) -> bytes:
    """Bytes changed, left out or put in near the beginning or the end, or the rest cut off."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 3)):
        if not changed:
            break
        near = int(rng.integers(min(head, len(changed))))
        at = near if rng.random() < 0.6 else len(changed) - 1 - near
        kind = rng.integers(10)
        if kind < 6:
            changed[at] = int(rng.integers(256))
        elif kind < 8:
            del changed[at : at + int(rng.integers(1, 9))]
        elif kind < 9:
            changed[at:at] = rng.integers(0, 256, int(rng.integers(1, 9)), np.uint8).tobytes()
        else:
            del changed[at:]
    return bytes(changed)


def _long(rng: np.random.Generator) -> dict[str, np.ndarray]:
    x = np.tile(np.arange(6.0), 3)
    y = 3 * np.exp(-x) + rng.normal(0, 0.1, 18)
    return {"id": np.repeat(np.arange(3), 6), "x": x, "y": y, "s": np.full(18, 0.1)}


def _long_csv(rng: np.random.Generator) -> bytes:
    rows = [
        ",".join(f"{value:g}" for value in row) for row in zip(*_long(rng).values(), strict=True)
    ]
    return ("id,x,y,s\n" + "\n".join(rows) + "\n").encode()


def _long_parquet(rng: np.random.Generator) -> bytes:
    return _parquet(pa.table(_long(rng)))


def _wide_csv(rng: np.random.Generator) -> bytes:
    rows = [",".join(f"{value:.3f}" for value in row) for row in rng.random((3, 4))]
    return ("y0,y1,y2,y3\n" + "\n".join(rows) + "\n").encode()


def _wide_parquet(rng: np.random.Generator) -> bytes:
    return _parquet(pa.table({f"y{i}": rng.random(3) for i in range(4)}))


def _npz(rng: np.random.Generator) -> bytes:
    held = io.BytesIO()
    np.savez(held, y=rng.random((3, 5)), x=np.arange(5.0))
    return held.getvalue()


def _parquet(table: pa.Table) -> bytes:
    held = io.BytesIO()
    parquet.write_table(table, held)
    return held.getvalue()


# For each configuration the files that it can read.
FILES: list[dict[str, Callable[[np.random.Generator], bytes]]] = [
    {"a.csv": _long_csv, "a.parquet": _long_parquet},
    {"a.csv": _wide_csv, "a.parquet": _wide_parquet},
    {"a.npz": _npz},
]


def mutant(seed: int) -> tuple[bytes, str, bytes]:
    """A configuration, the name of its data file and the content of that; one of them is bad."""
    rng = np.random.default_rng(seed)
    which = int(rng.integers(len(CONFIGS)))
    name = list(FILES[which])[rng.integers(len(FILES[which]))]
    content = FILES[which][name](rng)
    base = CONFIGS[which].replace("{data}", name)
    kind = rng.random()
    if kind < 0.4:
        return combined(rng, base), name, content
    if kind < 0.7:
        return text(rng, base), name, content
    return base.encode(), name, damaged(rng, content)
