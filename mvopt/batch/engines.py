"""Where the blocks of a run are fitted: on this machine, or on those of a Ray cluster."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import jax

from mvopt._errors import InputError, listed
from mvopt.batch.datasets import DataSets
from mvopt.batch.fitting import Part
from mvopt.batch.pipeline import ahead
from mvopt.batch.sources.source import Task

Work = Callable[[DataSets], Part]

# Blocks that wait for a worker of the cluster, for each worker.
_WAITING = 2
# So often a block is given to another worker when one dies.
_RETRIES = 3


class Engine(Protocol):
    """Does the work for every task, in any order."""

    def __call__(self, work: Work, tasks: Iterable[Task]) -> Iterator[tuple[int, Part]]:
        """Yield the number of a block and what became of it."""
        ...


def local(work: Work, tasks: Iterable[Task]) -> Iterator[tuple[int, Part]]:
    """Fit one block after the other in this process, on all its cores; read the next meanwhile."""
    for number, data in _read_ahead(tasks):
        yield number, work(data)


def on_ray(work: Work, tasks: Iterable[Task]) -> Iterator[tuple[int, Part]]:
    """Fit blocks on the machines of a Ray cluster; this one reads them and takes the results.

    The cluster is that of RAY_ADDRESS, or the one that runs here, or this machine alone. A worker
    takes a whole machine, or one GPU of it. The block of a worker that dies goes to another.
    """
    ray = _started_ray()
    workers, resources = _workers(ray.nodes())
    remote = ray.remote(max_retries=_RETRIES, **resources)(_on_worker)
    shared = ray.put((work, _settings()))
    waiting: dict[Any, int] = {}
    for number, data in _read_ahead(tasks):
        waiting[remote.remote(shared, data)] = number
        if len(waiting) >= _WAITING * workers:
            yield _next_result(ray, waiting)
    while waiting:
        yield _next_result(ray, waiting)


def _read_ahead(tasks: Iterable[Task]) -> Iterator[tuple[int, DataSets]]:
    return ahead((task.number, task.load()) for task in tasks)


def _started_ray() -> Any:
    try:
        import ray  # noqa: PLC0415 (an optional extra)
    except ModuleNotFoundError:
        raise InputError("--engine ray needs Ray: pip install 'mvopt[ray]'") from None
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    return ray


def _workers(nodes: list[dict[str, Any]]) -> tuple[int, dict[str, float]]:
    """Return how many workers the machines have room for, and what each asks for."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    cores = [int(machine.get("CPU", 0)) for machine in alive]
    gpus = sum(int(machine.get("GPU", 0)) for machine in alive)
    if gpus:
        return gpus, {"num_cpus": 1, "num_gpus": 1}
    # All workers are alike: the smallest machine has room for one.
    each = min((count for count in cores if count), default=1)
    return max(sum(count // each for count in cores), 1), {"num_cpus": each}


def _settings() -> dict[str, Any]:
    """Return what a worker has to set as it is here, for its results to be the same."""
    names = ("jax_disable_most_optimizations", "jax_compilation_cache_dir")
    return {name: jax.config.values[name] for name in names}


def _on_worker(shared: tuple[Work, dict[str, Any]], data: DataSets) -> Part:
    work, settings = shared
    for name, value in settings.items():
        jax.config.update(name, value)
    return work(data)


def _next_result(ray: Any, waiting: dict[Any, int]) -> tuple[int, Part]:
    """Return the result of whatever is finished first."""
    (done, *_), _ = ray.wait(list(waiting))
    number = waiting.pop(done)
    try:
        return number, ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise InputError(
            f"block {number} was lost with its worker {_RETRIES + 1} times "
            f"({type(error).__name__}): give the workers more memory, and continue with --resume"
        ) from None


_ENGINES: dict[str, Engine] = {"local": local, "ray": on_ray}


def engine(name: str) -> Engine:
    """Return the engine of that name; raises `InputError` for one that is not there."""
    if name not in _ENGINES:
        raise InputError(f"--engine {name} is not known: use one of {listed(_ENGINES)}")
    return _ENGINES[name]
