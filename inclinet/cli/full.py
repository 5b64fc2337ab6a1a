"""The command `full`: all stages in order on this machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    Verbose,
    Workers,
    app,
    console,
    default,
    option,
    parse_columns,
    parse_ranges,
    settings,
    split_names,
    track,
)
from inclinet.cli.group import check_extra
from inclinet.data.bands import BANDS, band_title
from inclinet.data.filenames import skipped_file
from inclinet.evaluation.filenames import REPORT_FILE
from inclinet.networks.architectures import check_fits
from inclinet.networks.filenames import network_file
from inclinet.settings import Augment, Sample, Size, Split, Train

if TYPE_CHECKING:
    import pandas as pd

    from inclinet.training.label_errors import LabelErrors
    from inclinet.training.start import Start

__all__ = ["full", "run_all_stages"]


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
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Run all stages in order on this machine, without the service.

    In: a folder of images, and the catalogue.

    Out: the outputs of all stages, in the folder <outfolder>/<size>x<size>-<bands>: small/, packed/, samples/,
    augmented/, models/, evaluation/, and registry/ for `inclinet predict --store`.

    Example: inclinet full -p galaxies -c catalog.csv -s 64 -n 2 -b 10 -z 50 -N 3

    The published recipe: -m model4,model5,model6 --preset published --optimizer adam --loss mse --warm_up 0
    """
    check_extra("full")
    from inclinet.registry.start import find_starts

    networks = split_names(models)
    size = settings(Size, size=size).size
    check_fits(networks, size)
    sample = settings(Sample, imroot=imroot, bands=split_names(bands), framing=framing)
    split = settings(Split, niter=niter, folds=folds)
    batches = settings(Augment, nbatch=nbatch, batchsize=batchsize, preset=preset, **parse_ranges(ranges))
    # One folder for each choice of bands, so that runs do not mix their files.
    folder = outfolder / "-".join([f"{size}x{size}", *sample.bands])
    run_all_stages(
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


def run_all_stages(
    impath: Path,
    catalog: Path,
    folder: Path,
    *,
    sample: Sample,
    size: int,
    split: Split,
    augment: Augment,
    train: Train,
    starts: Mapping[str, "Start"] | None = None,
    columns: Mapping[str, str] | None = None,
    restart: bool = False,
    workers: int | None = None,
) -> None:
    """Make, evaluate and publish networks from a folder of images and a catalogue.

    The version is put into use unless it is worse than simple baselines.

    Parameters
    ----------
    impath, catalog : Path
        Folder of the images, and the catalogue.
    folder : Path
        Where to write everything; also the store of the version.
    sample : Sample
        Root of the image names, bands and framing; its `images` and `catalog` do not count.
    size : int
        Pixels a side of the downsampled images.
    split, augment, train
        Settings of these stages.
    starts : mapping of str to Start, optional
        Networks that the training starts from, by architecture.
    columns : mapping of str to str, optional
        Columns of the catalogue that are called otherwise, and that of the images, as for
        `inclinet.preparation.prep.prep`.
    restart : bool
        Train again from the start instead of resuming.
    workers : int, optional
        Processes that prepare images. Default: one per core.

    Raises
    ------
    InclinetError
        When a stage cannot work with its input.
    """
    from inclinet.cli.evaluation import evaluate_networks
    from inclinet.cli.versions import publish_networks
    from inclinet.data.catalog import read_catalog
    from inclinet.figures.page import name_page
    from inclinet.registry.admission import promote_last, what_is_in_use
    from inclinet.storage.addresses import open_named_store

    _prepare(impath, catalog, folder, sample, size, split, augment, columns or {}, workers)
    known = read_catalog(catalog, columns={key: name for key, name in (columns or {}).items() if key != "image"})
    files = _train(folder, size, split.subsamples, augment.nbatch, train, starts or {}, known.errors, restart)
    models, samples, evaluation = folder / "models", folder / "samples", folder / "evaluation"
    evaluate_networks(
        models,
        samples,
        folder / "augmented",
        evaluation,
        size=size,
        catalog=known,
        files=files,
        sample=f"{impath}, with {catalog}",
        skipped=_read_skipped({band: folder / "small" / skipped_file(size, band) for band in sample.bands}),
    )
    stages = {"split": split, "augment": augment, "train": train}
    how: dict[str, Any] = {name: stage.model_dump(mode="json", exclude_none=True) for name, stage in stages.items()}
    how["train"]["start"] = {model: start.record.sha256 for model, start in (starts or {}).items()}
    how["framing"] = sample.framing
    store = open_named_store(str(folder))
    if split.folds:  # the other networks have done their work
        files = [network_file(0, model) for model in train.models]
    published = publish_networks(models, samples, evaluation, size, store, how, files, framing=sample.framing)
    name_page(evaluation / REPORT_FILE, {"Version": published.version})
    champion, why_not = promote_last(store, published)
    console.print(what_is_in_use(published.version, champion, why_not), markup=False)
    chosen = "" if champion and champion.version == published.version else f" --version {published.version}"
    console.print(f"to use it: inclinet predict --store {folder}{chosen} image.jpg", markup=False)


def _read_skipped(tables: Mapping[str, Path]) -> "pd.DataFrame":
    """Return the galaxies that prep skipped, from its table for each band: `pgc`, `where` and `reason`."""
    import pandas as pd

    parts = [
        pd.read_csv(path, dtype=str, keep_default_na=False).assign(where=band_title(band))
        for band, path in tables.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _prepare(
    impath: Path,
    catalog: Path,
    folder: Path,
    sample: Sample,
    size: int,
    split: Split,
    augment: Augment,
    columns: Mapping[str, str],
    workers: int | None,
) -> None:
    """Run the stages from the images to the stored batches."""
    from inclinet.preparation.augment import augment as make_batches
    from inclinet.preparation.compress import compress as pack
    from inclinet.preparation.prep import prep_bands
    from inclinet.preparation.split import split as divide

    prepared = prep_bands(
        impath,
        catalog,
        sample.bands,
        imroot=sample.imroot,
        size=size,
        framing=sample.framing,
        columns=columns,
        outfolder=folder / "small",
        workers=workers,
        track=track,
    )
    for done in prepared:
        console.print(f"{done.images} images in {done.folder}, {len(done.skipped)} galaxies skipped")
        pack(done.folder, folder / "packed", size=size, workers=workers, track=track)
    samples, augmented = folder / "samples", folder / "augmented"
    divide(folder / "packed", samples, size=size, settings=split, track=track)
    make_batches(samples, augmented, size=size, niter=split.subsamples, settings=augment, workers=workers, track=track)


def _train(
    folder: Path,
    size: int,
    niter: int,
    nbatch: int,
    settings: Train,
    starts: Mapping[str, "Start"],
    label_errors: "LabelErrors",
    restart: bool,
) -> Sequence[str]:
    """Train every network on every subsample; returns the names of their files."""
    from inclinet.training.train import check_start, train_network

    places = folder / "augmented", folder / "samples"
    for model, start in starts.items():
        check_start(start, *places, model=model, size=size, nbatch=nbatch, subsamples=range(niter + 1))
    for model in settings.models:
        for subsample in range(niter + 1):
            path = train_network(
                *places,
                folder / "models",
                model=model,
                subsample=subsample,
                size=size,
                nbatch=nbatch,
                settings=settings,
                start=starts.get(model),
                label_errors=label_errors,
                restart=restart,
                track=track,
            )
            console.print(f"wrote {path}")
    return [network_file(subsample, model) for model in settings.models for subsample in range(niter + 1)]
