"""Where the other modules get their figures from."""

from typing import Any


def new_figure(**options: Any) -> Any:
    """An empty figure of pyplot whose parts do not overlap; ImportError that names the extra."""
    try:
        from matplotlib import pyplot  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("plots need Matplotlib: pip install 'mvopt[plot]'") from error
    return pyplot.figure(layout="constrained", **options)
