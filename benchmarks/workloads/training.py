"""Networks trained by `minimize` and by a loop written by hand: same start, batches and steps."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import mvopt
from benchmarks.report import Report, Table
from benchmarks.timing import Method, interleave
from mvopt._training import batch_rows

COLUMNS = ("network", "loop", "µs a step", "compile s", "loss on all rows", "accuracy")


class Task(NamedTuple):
    """A network's loss over rows of `args`, where to start from, and how to train it."""

    loss: Callable[..., jax.Array]
    start: Any
    args: tuple[jax.Array, ...]
    accuracy: Callable[[Any], float]  # on rows held out; NaN where that means nothing
    batch_size: int
    steps: int
    transformation: optax.GradientTransformation


def layers(key: jax.Array, sizes: Sequence[int]) -> list[tuple[jax.Array, jax.Array]]:
    """Weights of variance 2 by the number of inputs, and no biases."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (jax.random.normal(k, (a, b)) * (2 / a) ** 0.5, jnp.zeros(b))
        for k, a, b in zip(keys, sizes, sizes[1:], strict=False)
    ]


def network(params: Any, x: jax.Array, activation: Callable) -> jax.Array:
    for weight, bias in params[:-1]:
        x = activation(x @ weight + bias)
    return x @ params[-1][0] + params[-1][1]


def optimizer(config: dict[str, Any]) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(config["step_size"], config["steps"]))


def digits(config: dict[str, Any], seed: int) -> Task:
    """Images of handwritten digits, and the cross-entropy of a tanh network."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    x, y = jnp.asarray(images[order] / 16, jnp.float32), jnp.asarray(labels[order], jnp.int32)
    held = config["held_out"]

    def loss(params, x, y):
        scores = network(params, x, jnp.tanh)
        right = jnp.take_along_axis(scores, y[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(scores, axis=1) - right)

    def accuracy(params):
        return float(jnp.mean(network(params, x[:held], jnp.tanh).argmax(axis=1) == y[:held]))

    start = layers(jax.random.key(seed), (64, *config["hidden"], 10))
    args = (x[held:], y[held:])
    return Task(
        loss, start, args, accuracy, config["batch_size"], config["steps"], optimizer(config)
    )


def curve(config: dict[str, Any], seed: int) -> Task:
    """Points of a closed curve, and the mean square distance of a sigmoid network's."""
    t = np.linspace(-1, 1, config["points"], dtype=np.float32)[:, None]
    radius = 1 + 0.3 * np.cos(3 * np.pi * t)
    points = np.concatenate([radius * np.cos(np.pi * t), radius * np.sin(np.pi * t)], axis=1)

    def loss(params, t, points):
        return jnp.mean((network(params, t, jax.nn.sigmoid) - points) ** 2)

    start = layers(jax.random.key(seed), (1, *config["hidden"], 2))
    start = jax.tree.map(lambda leaf: 3 * leaf, start)
    args = (jnp.asarray(t), jnp.asarray(points))
    return Task(
        loss,
        start,
        args,
        lambda _: float("nan"),
        config["batch_size"],
        config["steps"],
        optimizer(config),
    )


def trained(task: Task, key: jax.Array) -> Callable[[], Any]:
    """`minimize`; one evaluation more than the loop by hand has steps, which ends at an update."""
    solver = mvopt.GradientDescent(task.transformation)

    def run():
        solution = mvopt.minimize(
            task.loss,
            task.start,
            task.args,
            solver=solver,
            batch_size=task.batch_size,
            key=key,
            max_steps=task.steps + 1,
        )
        return jax.block_until_ready(solution.params)

    return run


def by_hand(task: Task, key: jax.Array) -> Callable[[], Any]:
    """One jitted step after the other, the rows' numbers ready on the device."""
    seed, size = jax.random.bits(key, (2,), jnp.uint32), len(task.args[0])
    rows = jax.vmap(lambda k: batch_rows(seed, k, size, task.batch_size))(jnp.arange(task.steps))
    rows = [jnp.asarray(each) for each in np.asarray(rows)]

    @jax.jit
    def step(params, state, args, rows):
        slope = jax.grad(task.loss)(params, *(arg[rows] for arg in args))
        updates, state = task.transformation.update(slope, state, params)
        return optax.apply_updates(params, updates), state

    def run():
        params, state = task.start, task.transformation.init(task.start)
        for each in rows:
            params, state = step(params, state, task.args, each)
        return jax.block_until_ready(params)

    return run


def newton(task: Task, steps: int) -> mvopt.Solution:
    """All rows at once, by Newton steps from products with the Hessian."""
    solver = mvopt.TrustRegionNewton(hessian="products")
    solution = mvopt.minimize(task.loss, task.start, task.args, solver=solver, max_steps=steps)
    return jax.block_until_ready(solution)


def run(config: dict[str, Any], only: Sequence[str]) -> Report:  # noqa: ARG001 (no peers here)
    """Both networks, both loops in turn."""
    report = Report("training", config)
    key, rows = jax.random.key(config["seed"]), []
    for name, make in (("digits", digits), ("curve", curve)):
        task = make(config[name], config["seed"])
        methods = [
            Method("mvopt", trained(task, key), task.steps),
            Method("by hand", by_hand(task, key), task.steps),
        ]
        measured = interleave(methods, config["repetitions"])
        report.outcomes |= {f"{name}, {loop}": "measured" for loop in measured.timings}
        report.outcomes |= {f"{name}, {k}": f"failed: {v}" for k, v in measured.failures.items()}
        if measured.failures:
            continue
        losses, accuracies = {}, {}
        for loop, timing in measured.timings.items():
            params = measured.results[loop]
            losses[loop] = float(task.loss(params, *task.args))
            accuracies[loop] = task.accuracy(params)
            step = f"{timing.median / task.steps * 1e6:.1f}"
            row = (name, loop, step, f"{timing.compile:.2f}", f"{losses[loop]:.3g}")
            rows.append((*row, f"{accuracies[loop]:.4f}"))
        mine, hand = (measured.timings[loop].median for loop in ("mvopt", "by hand"))
        report.add(f"{name}.time", mine / hand, "ratio", "lower", "a step, beside that by hand")
        if name == "digits":
            behind = accuracies["by hand"] - accuracies["mvopt"]
            report.add("digits.accuracy", accuracies["mvopt"], "share", "higher", "held-out images")
            report.add("digits.accuracy_behind", behind, "share", "lower", "the loop by hand's")
        else:
            report.add("curve.loss", losses["mvopt"], "mean square", "lower")
            solution = newton(task, config[name]["newton_steps"])
            note = f"Newton from products, {int(solution.num_steps)} steps on all rows"
            report.add("curve.newton_loss", solution.value, "mean square", "lower", note)
    report.tables.append(Table("Training", COLUMNS, rows))
    return report
