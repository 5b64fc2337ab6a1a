"""The command line: one command a stage, thin."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich import box
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import track as rich_track
from rich.table import Table

from inclinet.errors import InclinetError
from inclinet.naming import BANDS, band_folder, network_file, parse_band_folder
from inclinet.settings import Augment, Sample, Size, Split, Train

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["app", "main", "show_evaluation", "track"]

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


@app.command()
def prep(
    band: Annotated[str, typer.Option("-b", "--band", help=f"Band: one of {', '.join(BANDS)}.")],
    impath: Annotated[Path, typer.Option("-p", "--impath", help="Folder of the images.")] = Path("galaxies"),
    imroot: Annotated[str, option(Sample, "imroot", "-r", "--imroot")] = default(Sample, "imroot"),
    catalog: Annotated[Path, typer.Option("-c", "--catalog", help="Catalogue, columns split by '|'.")] = Path(
        "catalog.csv"
    ),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Where to write.")] = Path(),
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Downsample the images of one band.

    In: a folder of images pgc<ID>_<imroot>_<band>.png (colour: _gri.sdss.jpg, else _gri.jpg), the catalogue.

    Out: a folder <size>x<size>_<band> of JPEGs named by galaxy and label, and a table of those skipped.

    Example: inclinet prep -p galaxies -c catalog.csv -b g -s 128
    """
    from inclinet import prep as stage

    done = stage.prep(
        impath,
        catalog,
        band,
        imroot=settings(Sample, imroot=imroot).imroot,
        size=settings(Size, size=size).size,
        outfolder=outfolder,
        workers=workers,
        track=track,
    )
    console.print(f"{done.images} images in {done.folder}, {len(done.skipped)} galaxies skipped")


@app.command()
def compress(
    infolder: Annotated[
        Path, typer.Option("-i", "--infolder", help="One band's folder, or the folder that holds several.")
    ] = Path(),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Where to write.")] = Path(),
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Pack a band's folder of downsampled images into one array file.

    In: a folder <size>x<size>_<band> as `inclinet prep` writes it (or the folder above: all its bands).

    Out: <size>x<size>_<band>.npz with images uint8 (N, size, size, 3) and labels int32 (2, N): PGC, label.

    Example: inclinet compress -i 128x128_g -o packed
    """
    from inclinet import compress as stage

    folders = [infolder / band_folder(size, band) for band in BANDS]
    folders = [folder for folder in folders if folder.is_dir()]
    if parse_band_folder(infolder.resolve().name) or not folders:
        folders = [infolder]
    for folder in folders:
        path = stage.compress(folder, outfolder, size=size, workers=workers, track=track)
        console.print(f"wrote {path}")


@app.command()
def split(
    infolder: Annotated[Path, typer.Option("-i", "--infolder", help="Folder of the packed array files.")] = Path(),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Where to write.")] = Path("samples"),
    niter: Niter = NITER,
    seed: Annotated[int, option(Split, "seed", "--seed")] = default(Split, "seed"),
    verbose: Verbose = False,
) -> None:
    """Divide the galaxies into test set, training set and bagging subsamples.

    In: <size>x<size>_<band>.npz of one or more bands, as `inclinet compress` writes them.

    Out: for every band and subsample <band>_<size>x<size>_train_<kkk>.npz and _test_<kkk>.npz.

    Example: inclinet split -i packed -o samples -n 3
    """
    from inclinet import split as stage

    chosen = settings(Split, niter=niter, seed=seed)
    written = stage.split(infolder, outfolder, size=size, settings=chosen, track=track)
    console.print(f"wrote {len(written)} sample files to {outfolder}")


@app.command()
def augment(
    infolder: Annotated[Path, typer.Option("-i", "--infolder", help="Folder of the samples.")] = Path("samples"),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Where to write.")] = Path("augmented"),
    niter: Niter = NITER,
    nbatch: Nbatch = NBATCH,
    batchsize: Annotated[int, option(Augment, "batchsize", "-z", "--batchsize")] = default(Augment, "batchsize"),
    seed: Annotated[int, option(Augment, "seed", "--seed")] = default(Augment, "seed"),
    leave_out: Annotated[bool, option(Augment, "leave_out", "--leave_out/--leave_out_none")] = default(
        Augment, "leave_out"
    ),
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Make the stored training batches, uniform in inclination.

    In: the training sets of `inclinet split`.

    Out: Uset_<kkk>_npz/<size>x<size>_train_aug_<bb>.npz for each subsample and batch.

    Example: inclinet augment -i samples -o augmented -n 3 -b 50 -z 1000
    """
    from inclinet import augment as stage

    chosen = settings(Augment, nbatch=nbatch, batchsize=batchsize, seed=seed, leave_out=leave_out)
    niter, size = settings(Split, niter=niter).niter, settings(Size, size=size).size
    written = stage.augment(infolder, outfolder, size=size, niter=niter, settings=chosen, workers=workers, track=track)
    console.print(f"wrote {len(written)} stored batches to {outfolder}")


@app.command()
def train(
    augmented: Annotated[Path, typer.Option("-a", "--augmented", help="Folder of the stored batches.")] = Path(
        "augmented"
    ),
    samples: Annotated[Path, typer.Option("-i", "--samples", help="Folder of the samples.")] = Path("samples"),
    size: SizeOption = SIZE,
    outmodels: Annotated[Path, typer.Option("-o", "--outModels", help="Where to write.")] = Path("models"),
    model: Annotated[str, typer.Option("-m", "--modelName", help="Network: model4, model5 or model6.")] = "model4",
    niter: Niter = NITER,
    nbatch: Nbatch = NBATCH,
    passes: Annotated[int, option(Train, "N_batch_iter", "-N", "--N_batch_iter")] = default(Train, "N_batch_iter"),
    minibatch: Annotated[int, option(Train, "training_batch_size", "-z", "--training_batch_size")] = default(
        Train, "training_batch_size"
    ),
    rate: Annotated[float, option(Train, "learning_rate", "--learning_rate")] = default(Train, "learning_rate"),
    schedule: Annotated[str, option(Train, "schedule", "--schedule")] = default(Train, "schedule"),
    seed: Annotated[int, option(Train, "seed", "--seed")] = default(Train, "seed"),
    precision: PrecisionOption = PRECISION,
    keep_every: Annotated[int, option(Train, "keep_every", "--keep_every")] = default(Train, "keep_every"),
    patience: Annotated[int, option(Train, "patience", "--patience")] = default(Train, "patience"),
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew instead of going on.")] = False,
    verbose: Verbose = False,
) -> None:
    """Train one network on every subsample, one stored batch at a time.

    In: the stored batches of `inclinet augment` and, for validation, the test set of `inclinet split`.

    Out: for each subsample snapshots (Uset_<kkk>_<model>_ckpt: the last two and the best on the left-out
    galaxies), metrics (_evalDict.json), their figure (_evalFig.jpg) and the network (.keras). An interrupted run
    goes on where it was when called again.

    Example: inclinet train -a augmented -i samples -m model4 -n 3 -b 50 -N 14
    """
    from inclinet.layouts import check_fits

    niter, nbatch = settings(Split, niter=niter).niter, settings(Augment, nbatch=nbatch).nbatch
    check_fits([model], settings(Size, size=size).size)
    from inclinet.train import train as stage

    chosen = settings(
        Train,
        models=(model,),
        N_batch_iter=passes,
        training_batch_size=minibatch,
        learning_rate=rate,
        schedule=schedule,
        seed=seed,
        precision=precision,
        keep_every=keep_every,
        patience=patience,
    )
    for k in range(niter + 1):
        path = stage(
            augmented,
            samples,
            outmodels,
            model=model,
            subsample=k,
            size=size,
            nbatch=nbatch,
            settings=chosen,
            restart=restart,
            track=track,
        )
        console.print(f"wrote {path}")


@app.command()
def evaluate(
    samples: Annotated[Path, typer.Option("-i", "--samples", help="Folder of the samples.")] = Path("samples"),
    models: Annotated[Path, typer.Option("-m", "--models", help="Folder of the networks.")] = Path("models"),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Where to write.")] = Path("evaluation"),
    catalog: Annotated[
        Path | None, typer.Option("-c", "--catalog", help="Catalogue, for the axis-ratio baseline.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="Evaluate this table instead of running the networks."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Evaluate the networks on the test galaxies.

    In: the networks of `inclinet train` and the test set of `inclinet split`, or a table of predictions.

    Out: predictions.csv, metrics.json and figures; on screen RMS, MAE, bias … of every network, of their mean
    and median, and of the baselines.

    Example: inclinet evaluate -i samples -m models -c catalog.csv -o evaluation
    """
    from inclinet.predictions import read_predictions
    from inclinet.report import evaluate_networks

    if predictions is None:
        size = settings(Size, size=size).size
        _evaluate(evaluate_networks(models, samples, size=size, track=track), outfolder, catalog)
    else:
        _evaluate(read_predictions(predictions), outfolder, catalog)


def _evaluate(table: "pd.DataFrame", outfolder: Path, catalog: Path | None) -> None:
    from inclinet.report import NOTHING_TO_EVALUATE, report

    result = report(table, outfolder, catalog=catalog)
    if result is None:
        console.print(NOTHING_TO_EVALUATE)
        return
    show_evaluation(result)
    console.print(f"wrote predictions.csv, metrics.json and figures to {outfolder}")


def show_evaluation(evaluation: dict) -> None:
    """Print the result table of an evaluation."""
    from inclinet.evaluate import summary

    title = f"{evaluation['images']} test images of {evaluation['galaxies']} galaxies; angles in degrees"
    table = Table(title=title, box=box.SIMPLE_HEAD)
    rows = summary(evaluation)
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "name" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(name, value) for name, value in row.items()))
    Console().print(table)


def _cell(name: str, value: str | float | int | None) -> str:
    if value is None:
        return "–"
    forms = {"slope": "+.3f", "bias": "+.2f", "above 10": ".1%", "n": "d", "name": ""}
    return format(value, forms.get(name, ".2f"))


@app.command()
def simulate(
    n: Annotated[int, typer.Option("-n", min=1, help="Number of galaxies.")] = 300,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Where to write.")] = Path("galaxies"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is drawn.")] = 0,
    size: Annotated[int, typer.Option("-s", "--size", min=32, max=2048, help="Pixels a side.")] = 256,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Make mock spirals of known inclination, to try everything without real data.

    In: nothing.

    Out: four bands of each galaxy and catalog.csv, as real ones come; some are flawed, as real ones are.

    Example: inclinet simulate -n 300 -o galaxies
    """
    from inclinet import simulate as stage

    catalog = stage.simulate(n, outfolder, seed=seed, size=size, workers=workers, track=track)
    console.print(f"{n} galaxies in {outfolder}, catalogue {catalog}")


@app.command()
def full(
    impath: Annotated[Path, typer.Option("-p", "--impath", help="Folder of the images.")] = Path("galaxies"),
    imroot: Annotated[str, option(Sample, "imroot", "-r", "--imroot")] = default(Sample, "imroot"),
    catalog: Annotated[Path, typer.Option("-c", "--catalog", help="Catalogue, columns split by '|'.")] = Path(
        "catalog.csv"
    ),
    bands: Annotated[str, typer.Option("--bands", help="Bands, split by commas.")] = ",".join(BANDS),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Folder of all outputs.")] = Path("inclinet-out"),
    niter: Niter = NITER,
    nbatch: Nbatch = NBATCH,
    batchsize: Annotated[int, option(Augment, "batchsize", "-z", "--batchsize")] = default(Augment, "batchsize"),
    models: Annotated[str, typer.Option("-m", "--modelNames", help="Networks, split by commas.")] = "model4",
    passes: Annotated[int, option(Train, "N_batch_iter", "-N", "--N_batch_iter")] = default(Train, "N_batch_iter"),
    minibatch: Annotated[int, option(Train, "training_batch_size", "--training_batch_size")] = default(
        Train, "training_batch_size"
    ),
    precision: PrecisionOption = PRECISION,
    restart: Annotated[bool, typer.Option("--restart", help="Train anew instead of going on.")] = False,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Run all stages in order, here, without the flow service.

    In: a folder of images and the catalogue.

    Out: all that the stages write, in the folder <outfolder>/<size>x<size>-<bands>: small/, packed/, samples/,
    augmented/, models/, evaluation/.

    Example: inclinet full -p galaxies -c catalog.csv -s 64 -n 2 -b 10 -z 50 -N 3
    """
    from inclinet.layouts import check_fits
    from inclinet.report import evaluate_networks

    chosen = settings(Sample, bands=_names(bands)).bands
    networks = _names(models)
    check_fits(networks, settings(Size, size=size).size)
    # A folder of its own for each choice of bands: what another run left is not mixed in.
    folder = outfolder / "-".join([f"{size}x{size}", *chosen])
    for band in chosen:
        prep(band, impath, imroot, catalog, size, folder / "small", workers)
        compress(folder / "small" / band_folder(size, band), size, folder / "packed", workers)
    split(folder / "packed", size, folder / "samples", niter)
    augment(folder / "samples", size, folder / "augmented", niter, nbatch, batchsize, workers=workers)
    for model in networks:
        train(
            folder / "augmented",
            folder / "samples",
            size,
            folder / "models",
            model,
            niter,
            nbatch,
            passes,
            minibatch,
            precision=precision,
            restart=restart,
        )
    files = [network_file(k, model) for model in networks for k in range(niter + 1)]
    table = evaluate_networks(folder / "models", folder / "samples", files=files, size=size, track=track)
    _evaluate(table, folder / "evaluation", catalog)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def main() -> None:
    """Run the command line; errors the user can put right are one line, exit code 1."""
    try:
        app()
    except (InclinetError, OSError) as error:
        named = isinstance(error, OSError) and error.filename is not None
        text = f"{error.filename}: {error.strerror}" if named else str(error)
        console.print(f"error: {text}", style="bold red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("interrupted")
        sys.exit(130)
