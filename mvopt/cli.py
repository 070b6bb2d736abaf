"""The command `mvopt`."""

import gc
from pathlib import Path

import click

from mvopt._errors import InputError, quoted, suggestion
from mvopt.batch import runner
from mvopt.batch.folder import Mode
from mvopt.batch.report.writing import write_report
from mvopt.batch.shards import merge_shards, parse_shard
from mvopt.regression import models


class _Commands(click.Group):
    """The group of all commands: what the user can put right ends in one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except InputError as error:
            click.echo(f"mvopt: {error}", err=True)
        except OSError as error:
            # A file that went away, or may not be read, at a moment when nothing asks for it.
            if error.filename is None:
                raise
            remedy = "check it; what is finished is kept for --resume"
            click.echo(f"mvopt: {error.filename}: {error.strerror}: {remedy}", err=True)
        return ctx.exit(2)


@click.group(cls=_Commands)
@click.version_option(package_name="mvopt")
def main() -> None:
    """Fit a model to many data sets at once, with honest uncertainties."""


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The folder for the table of results.")
@click.option("--engine", default="local", show_default=True, help="Where to fit: local or ray.")
@click.option("--devices", type=click.IntRange(1), help="How many GPUs, or cores, to use.")
@click.option("--resume", is_flag=True, help="Continue a run that was stopped.")
@click.option("--restart", is_flag=True, help="Drop what a run that was stopped has finished.")
@click.option("--shard", metavar="I/N", help="Fit only share I of N; `mvopt merge` joins them.")
def fit(
    config: Path,
    out: Path | None,
    engine: str,
    devices: int | None,
    resume: bool,
    restart: bool,
    shard: str | None,
) -> None:
    """Fit every data set that the TOML file CONFIG describes.

    The table of results goes to the folder in [output] path, or to --out: Parquet parts with a
    row per data set. A fit that fails is a row with its status, not an error. Whatever stops the
    command, --resume goes on after the last finished part.
    """
    # Tracing makes so many small objects that looking for cycles takes a tenth of its time.
    gc.set_threshold(200_000, 20, 20)
    if resume and restart:
        raise InputError("--resume and --restart exclude each other: give one")
    if devices is not None:
        runner.use_devices(devices)
    mode: Mode = "resume" if resume else "restart" if restart else "new"
    runner.run(config, out, engine, mode, None if shard is None else parse_shard(shard))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def merge(folder: Path) -> None:
    """Join the shards in the folder FOLDER to one table."""
    count = merge_shards(folder)
    click.echo(f"the table of {count:,} data sets is in {folder}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file; FOLDER/report.html without."
)
def report(folder: Path, out: Path | None) -> None:
    """Write a page about the run whose results are in FOLDER.

    One HTML file that opens in a browser without a network: counts by status, distributions, maps
    of images, and single fits with their data.
    """
    click.echo(f"the report is in {write_report(folder, out)}")


@main.command("models")
@click.argument("name", required=False)
def list_models(name: str | None) -> None:
    """List the models, or show the one of that NAME."""
    if name is not None:
        _show(name)
        return
    for model in models.NAMED.values():
        click.echo(f"{model.name} ({', '.join(model.names)})\n    {model.formula}")
    click.echo("polynomial (c0, c1, ...), of the degree in [model] degree")
    click.echo("    c0 + c1*x + c2*x**2 + ...")


def _show(name: str) -> None:
    if name not in models.NAMED:
        remedy = suggestion(name, models.NAMED, "models")
        raise InputError(f"{quoted(name)} is not a model: {remedy}")
    model = models.NAMED[name]
    click.echo(f"{model.name}: y = {model.formula}\nsource: {model.source}")
    for parameter, meaning in zip(model.names, model.meanings, strict=True):
        click.echo(f"  {parameter}: {meaning}")
