"""What all commands share: the application, common options, and output on the terminal."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import version as installed_version
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich import box
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import track as rich_track
from rich.table import Table
from rich.text import Text

from inclinet.cli.group import CommandGroup
from inclinet.data.galaxies import MEANINGS
from inclinet.errors import InclinetError
from inclinet.settings import Augment, Sample, Size, Split, Train

__all__ = [
    "FOLDS",
    "FRAMING",
    "NBATCH",
    "NITER",
    "PRECISION",
    "PRESET",
    "SIZE",
    "ColumnsOption",
    "FoldsOption",
    "FramingOption",
    "ImageColumnOption",
    "Nbatch",
    "Niter",
    "PrecisionOption",
    "PresetOption",
    "RangesOption",
    "SizeOption",
    "StartOption",
    "StartStoreOption",
    "StoreOption",
    "SubsampleOption",
    "Verbose",
    "Workers",
    "app",
    "console",
    "default",
    "name_reasons",
    "option",
    "parse_columns",
    "parse_ranges",
    "settings",
    "show_table",
    "split_names",
    "track",
]

app = typer.Typer(
    name="inclinet",
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True)

T = TypeVar("T", bound=BaseModel)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"inclinet {installed_version('inclinet')}")
        raise typer.Exit


@app.callback()
def show_version(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Inclinations of spiral galaxies from SDSS images.

    `inclinet COMMAND --help` says what a command reads and writes, and gives an example.
    """


def track(items: Iterable[Any], description: str, total: int) -> Iterable[Any]:
    """Show a progress bar on the terminal while going through `items`."""
    return rich_track(items, description, total, console=console, transient=False)


def option(model: type[BaseModel], name: str, *flags: str) -> Any:
    """Return the option for a setting; its help comes from the settings model."""
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
        When a value is out of bounds.
    """
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InclinetError(f"{name} {first['input']}: {first['msg']}", setting=name) from None


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in a list separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parse_ranges(texts: Sequence[str]) -> dict[str, str]:
    """Return the ranges of `augment` given as `name=value`, by name.

    Raises
    ------
    InclinetError
        When one has no value, or there is no such range.
    """
    known = [name for name, field in Augment.model_fields.items() if field.default is None]
    ranges = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known or not value:
            raise InclinetError(f"{text!r}: give NAME=VALUE, NAME one of {', '.join(known)}", setting="range")
        ranges[name] = value
    return ranges


def parse_columns(texts: Sequence[str], image: str = "") -> dict[str, str]:
    """Return the columns of a catalogue given as `meaning=column`, by meaning; `image` is the one of the images.

    Raises
    ------
    InclinetError
        When a text has no column.
    """
    columns = {"image": image} if image else {}
    for text in texts:
        meaning, _, column = text.partition("=")
        if not column:
            raise InclinetError(f"{text!r}: give MEANING=COLUMN, such as pgc=PGCNO", setting="column")
        columns[meaning] = column
    return columns


def name_reasons(reasons: Counter[str], most: int) -> str:
    """Return the most common reasons as text, with how often each is there; `…` stands for the others."""
    named = [reason if n == 1 else f"{reason} ({n:,} times)" for reason, n in reasons.most_common(most)]
    return "; ".join([*named, *(["…"] if len(reasons) > most else [])])


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
    bool, typer.Option("-v", "--verbose", callback=_verbose, help="Print more, including each skipped galaxy.")
]
SizeOption = Annotated[int, option(Size, "size", "-s", "--size")]
Niter = Annotated[int, option(Split, "niter", "-n", "--niter")]
FramingOption = Annotated[str, option(Sample, "framing", "--framing")]
FoldsOption = Annotated[int, option(Split, "folds", "--folds")]
Nbatch = Annotated[int, option(Augment, "nbatch", "-b", "--nbatch")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Parallel workers; default: one per core.")]
PresetOption = Annotated[str, option(Augment, "preset", "--preset")]
RangesOption = Annotated[
    list[str],
    typer.Option("--range", help="Another range than the preset's, such as zoom_max=1.3; may be repeated."),
]
ColumnsOption = Annotated[
    list[str],
    typer.Option(
        "--column",
        help="What a column of the catalogue means, such as pgc=PGCNO; may be repeated. Meanings: "
        f"{', '.join(MEANINGS)}.",
    ),
]
ImageColumnOption = Annotated[
    str, typer.Option("--image-column", help="Column of the catalogue that names the images: paths or s3:// addresses.")
]
PrecisionOption = Annotated[str, option(Train, "precision", "--precision")]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="INCLINET_STORE",
        help="Store: s3://bucket/prefix or a folder. For S3, set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on.",
    ),
]
StartOption = Annotated[str, option(Train, "start", "--start")]
StartStoreOption = Annotated[
    str | None, typer.Option("--store", envvar="INCLINET_STORE", help="Store of the version that --start names.")
]
SubsampleOption = Annotated[
    int | None, typer.Option("-k", "--subsample", min=0, max=99, help="Train only this subsample; 0 is the whole set.")
]
PRECISION, PRESET = default(Train, "precision"), default(Augment, "preset")
SIZE, NITER, NBATCH = default(Size, "size"), default(Split, "niter"), default(Augment, "nbatch")
FOLDS, FRAMING = default(Split, "folds"), default(Sample, "framing")


_MIN_TEXT_WIDTH = 12  # characters
_PADDING = 2  # characters of a column beside its text


def show_table(
    rows: Sequence[Mapping[str, str]],
    title: str = "",
    texts: Collection[str] = (),
    extras: Collection[str] = (),
    *,
    whole: bool = False,
) -> None:
    """Print rows as a table.

    The first column is aligned to the left, and shortened on a narrow terminal unless it is to stay `whole`; the
    columns in `texts` are wrapped. Those in `extras` are left out where there is no room for them, the last ones first.
    Output to a file or a pipe is complete.
    """
    shown = Console()
    if not shown.is_terminal:
        shown = Console(width=1000)
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
    first = next(iter(widths))
    narrow = {first: whole} | dict.fromkeys(texts, False)
    least = {
        name: width if narrow.get(name, True) else min(width, max(_MIN_TEXT_WIDTH, _longest_word(name, rows)))
        for name, width in widths.items()
    }
    columns = _fitting(least, extras, shown.width)
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        if name == first:
            table.add_column(name, overflow="ellipsis", no_wrap=whole, min_width=least[name])
        elif name in texts:
            table.add_column(name, overflow="fold", min_width=least[name])
        else:
            table.add_column(name, justify="right", no_wrap=True, min_width=least[name])
    for row in rows:
        table.add_row(*(Text(row[name], overflow="ellipsis" if name == first else "fold") for name in columns))
    shown.print(table)


def _longest_word(name: str, rows: Sequence[Mapping[str, str]]) -> int:
    """Return the length of the longest word in a column, up to which it can be wrapped without breaking words."""
    return min(18, max(len(word) for text in (name, *(row[name] for row in rows)) for word in text.split() or [""]))


def _fitting(least: Mapping[str, int], extras: Collection[str], width: int) -> list[str]:
    """Return the columns that are shown at a width, in order, by their smallest widths."""
    shown = list(least)
    for name in reversed([name for name in least if name in extras]):
        if sum(least[one] + _PADDING for one in shown) + 1 <= width:
            break
        shown.remove(name)
    return shown
