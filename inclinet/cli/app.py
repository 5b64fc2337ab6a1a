"""What all commands share: the application, its options, how they talk."""

import logging
from collections.abc import Collection, Iterator
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich import box
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import track as rich_track
from rich.table import Table
from rich.text import Text

from inclinet.errors import InclinetError
from inclinet.settings import Augment, Size, Split, Train

__all__ = [
    "NBATCH",
    "NITER",
    "PRECISION",
    "SIZE",
    "Nbatch",
    "Niter",
    "PrecisionOption",
    "SizeOption",
    "Verbose",
    "Workers",
    "app",
    "console",
    "default",
    "option",
    "settings",
    "show_table",
    "track",
]

app = typer.Typer(
    name="inclinet",
    help="Inclinations of spiral galaxies from their pictures: prep → compress → split → augment → train → "
    "evaluate. Run `inclinet COMMAND --help` for what goes in and what comes out.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True)

T = TypeVar("T", bound=BaseModel)


def track(items: Any, description: str, total: int) -> Iterator[Any]:
    """Show a progress bar on the terminal."""
    return rich_track(items, description, total, console=console, transient=False)


def option(model: type[BaseModel], name: str, *flags: str) -> Any:
    """Return the option of a setting: help and default come from its model."""
    field = model.model_fields[name]
    return typer.Option(*flags, help=field.description)


def default(model: type[BaseModel], name: str) -> Any:
    """Return the default of a setting."""
    return model.model_fields[name].default


def settings(model: type[T], **values: Any) -> T:
    """Return checked settings.

    Raises
    ------
    InclinetError
        Naming the option that is out of bounds.
    """
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InclinetError(f"--{name} {first['input']}: {first['msg']}") from None


def _verbose(value: bool) -> bool:
    logging.basicConfig(
        level=logging.INFO if value else logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_path=False, markup=False)],
        force=True,
    )
    logging.getLogger("inclinet").setLevel(logging.DEBUG if value else logging.WARNING)
    return value


Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", callback=_verbose, help="Say more, each skipped galaxy included.")
]
SizeOption = Annotated[int, option(Size, "size", "-s", "--size")]
Niter = Annotated[int, option(Split, "niter", "-n", "--niter")]
Nbatch = Annotated[int, option(Augment, "nbatch", "-b", "--nbatch")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Parallel workers; all cores if omitted.")]
PrecisionOption = Annotated[str, option(Train, "precision", "--precision")]
PRECISION = default(Train, "precision")
SIZE, NITER, NBATCH = default(Size, "size"), default(Split, "niter"), default(Augment, "nbatch")


_LEAST_TEXT = 18  # columns of a terminal


def show_table(rows: list[dict[str, str]], title: str = "", texts: Collection[str] = ()) -> None:
    """Print rows as a table.

    The first column and those named `texts` are aligned to the left and give way where the terminal is narrow; what is
    not a terminal gets all.
    """
    shown = Console()
    if not shown.is_terminal:
        shown = Console(width=1000)
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    for place, name in enumerate(rows[0]):
        width = max(len(name), *(len(row[name]) for row in rows))
        if place and name not in texts:
            table.add_column(name, justify="right", no_wrap=True, min_width=width)
        else:
            table.add_column(name, overflow="fold" if place else "ellipsis", min_width=min(width, _LEAST_TEXT))
    for row in rows:
        table.add_row(
            *(Text(value, overflow="fold" if place else "ellipsis") for place, value in enumerate(row.values()))
        )
    shown.print(table)
