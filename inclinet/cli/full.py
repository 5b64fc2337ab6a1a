"""The command `full`: all stages in order on this machine, or one part of them."""

from pathlib import Path
from typing import Annotated

import typer

from inclinet.cli.app import (
    FOLDS,
    FRAMING,
    NBATCH,
    NITER,
    PRECISION,
    PRESET,
    SIZE,
    ColumnsOption,
    FoldsOption,
    FramingOption,
    ImageColumnOption,
    Nbatch,
    Niter,
    PrecisionOption,
    PresetOption,
    RangesOption,
    SizeOption,
    StartOption,
    StartStoreOption,
    SubsampleOption,
    Verbose,
    Workers,
    app,
    default,
    option,
    parse_columns,
    parse_ranges,
    settings,
    split_names,
)
from inclinet.cli.group import check_extra
from inclinet.cli.work import Part, Work
from inclinet.data.bands import BANDS
from inclinet.networks.architectures import check_fits
from inclinet.settings import Augment, Sample, Size, Split, Train

__all__ = ["full"]


@app.command()
def full(
    impath: Annotated[Path, typer.Option("-p", "--impath", help="Folder of the images.")] = Path("galaxies"),
    imroot: Annotated[str, option(Sample, "imroot", "-r", "--imroot")] = default(Sample, "imroot"),
    catalog: Annotated[
        Path, typer.Option("-c", "--catalog", help="Catalogue: CSV with any separator, ECSV, FITS or VOTable.")
    ] = Path("catalog.csv"),
    column: ColumnsOption = [],  # noqa: B006 (Typer copies it)
    image_column: ImageColumnOption = "",
    bands: Annotated[
        str,
        typer.Option(
            "--bands", help="Bands, separated by commas: g, r, i, any other such as z or W1; in colour gri or grz."
        ),
    ] = ",".join(BANDS),
    size: SizeOption = SIZE,
    framing: FramingOption = FRAMING,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Folder to write to.")] = Path("inclinet-out"),
    niter: Niter = NITER,
    folds: FoldsOption = FOLDS,
    nbatch: Nbatch = NBATCH,
    batchsize: Annotated[int, option(Augment, "batchsize", "-z", "--batchsize")] = default(Augment, "batchsize"),
    models: Annotated[str, typer.Option("-m", "--modelNames", help="Networks, separated by commas.")] = ",".join(
        default(Train, "models")
    ),
    passes: Annotated[int, option(Train, "N_batch_iter", "-N", "--N_batch_iter")] = default(Train, "N_batch_iter"),
    minibatch: Annotated[int, option(Train, "training_batch_size", "--training_batch_size")] = default(
        Train, "training_batch_size"
    ),
    rate: Annotated[float, option(Train, "learning_rate", "--learning_rate")] = default(Train, "learning_rate"),
    start: StartOption = "",
    store: StartStoreOption = None,
    warm_up: Annotated[int, option(Train, "warm_up", "--warm_up")] = default(Train, "warm_up"),
    optimizer: Annotated[str, option(Train, "optimizer", "--optimizer")] = default(Train, "optimizer"),
    loss: Annotated[str, option(Train, "loss", "--loss")] = default(Train, "loss"),
    label_weights: Annotated[str, option(Train, "label_weights", "--label_weights")] = default(Train, "label_weights"),
    preset: PresetOption = PRESET,
    ranges: RangesOption = [],  # noqa: B006 (Typer copies it)
    precision: PrecisionOption = PRECISION,
    restart: Annotated[bool, typer.Option("--restart", help="Train again from the start instead of resuming.")] = False,
    only: Annotated[
        Part | None,
        typer.Option("--only", help="Only one part, for a scheduler: with the same other options in each."),
    ] = None,
    subsample: SubsampleOption = None,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Run all stages in order on this machine, without the service.

    In: a folder of images, and the catalogue.

    Out: the outputs of all stages, in the folder <outfolder>/<size>x<size>-<bands>: small/, packed/, samples/,
    augmented/, models/, evaluation/, and registry/ for `inclinet predict --store`.

    Example: inclinet full -p galaxies -c catalog.csv -s 64 -n 2 -b 10 -z 50 -N 3

    In three jobs: the same with --only prepare, then --only train (with --subsample K, a job for each), then
    --only publish

    The published recipe: -m model4,model5,model6 --preset published --optimizer adam --loss mse --warm_up 0
    """
    check_extra("full")
    # What these import takes half a second.
    from inclinet.cli.parts import run
    from inclinet.registry.start import find_starts

    networks = split_names(models)
    size = settings(Size, size=size).size
    check_fits(networks, size)
    sample = settings(Sample, imroot=imroot, bands=split_names(bands), framing=framing)
    split = settings(Split, niter=niter, folds=folds)
    batches = settings(Augment, nbatch=nbatch, batchsize=batchsize, preset=preset, **parse_ranges(ranges))
    # One folder for each choice of bands, so that runs do not mix their files.
    folder = outfolder / "-".join([f"{size}x{size}", *sample.bands])
    work = Work(
        impath,
        catalog,
        folder,
        sample=sample,
        size=size,
        split=split,
        augment=batches.with_split(split),
        train=settings(
            Train,
            models=networks,
            N_batch_iter=passes,
            training_batch_size=minibatch,
            learning_rate=rate,
            warm_up=warm_up,
            optimizer=optimizer,
            loss=loss,
            label_weights=label_weights,
            start=start,
            precision=precision,
        ),
        starts=find_starts(start, networks, size, store),
        columns=parse_columns(column, image_column),
        restart=restart,
        workers=workers,
    )
    run(work, only, subsample)
