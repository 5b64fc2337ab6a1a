"""The commands of the stages that make networks."""

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
from inclinet.data.bands import order_bands
from inclinet.data.filenames import band_folder, parse_band_folder
from inclinet.networks.architectures import MODELS, check_fits
from inclinet.settings import Augment, Sample, Size, Split, Train

__all__ = ["augment", "compress", "prep", "split", "train"]


@app.command()
def prep(
    band: Annotated[
        str,
        typer.Option(
            "-b",
            "--band",
            help="Band, or several separated by commas: g, r, i, any other such as z or W1; in colour gri or grz.",
        ),
    ],
    impath: Annotated[Path, typer.Option("-p", "--impath", help="Folder of the images.")] = Path("galaxies"),
    imroot: Annotated[str, option(Sample, "imroot", "-r", "--imroot")] = default(Sample, "imroot"),
    catalog: Annotated[
        Path, typer.Option("-c", "--catalog", help="Catalogue: CSV with any separator, ECSV, FITS or VOTable.")
    ] = Path("catalog.csv"),
    column: ColumnsOption = [],  # noqa: B006 (Typer copies it)
    image_column: ImageColumnOption = "",
    size: SizeOption = SIZE,
    framing: FramingOption = FRAMING,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Folder to write to.")] = Path(),
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Downsample the images of one band or several.

    In: a folder of images pgc<ID>_<imroot>_<band>.png (colour: _gri.sdss.jpg, else _gri.jpg), and the catalogue.

    Out: for each band a folder <size>x<size>_<band> of JPEGs named after galaxy and label, and tables of the skipped
    galaxies and of the shapes of the others.

    Example: inclinet prep -p galaxies -c catalog.csv -b g,r,i,gri -s 128
    """
    from inclinet.preparation.prep import prep_bands

    sample = settings(Sample, imroot=imroot, framing=framing)
    prepared = prep_bands(
        impath,
        catalog,
        split_names(band),
        imroot=sample.imroot,
        framing=sample.framing,
        size=settings(Size, size=size).size,
        columns=parse_columns(column, image_column),
        outfolder=outfolder,
        workers=workers,
        track=track,
    )
    for done in prepared:
        console.print(f"{done.images} images in {done.folder}, {len(done.skipped)} galaxies skipped")


@app.command()
def compress(
    infolder: Annotated[
        Path, typer.Option("-i", "--infolder", help="Folder of one band, or the folder that holds several.")
    ] = Path(),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Folder to write to.")] = Path(),
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Pack each band's downsampled images into one array file.

    In: a folder <size>x<size>_<band> that `inclinet prep` wrote, or the folder that holds several of them.

    Out: <size>x<size>_<band>.npz with images uint8 (N, size, size, 3) and labels int32 (2, N): PGC, label.

    Example: inclinet compress -i 128x128_g -o packed
    """
    from inclinet.preparation.compress import compress as pack

    size = settings(Size, size=size).size
    inside = [parse_band_folder(path.name) for path in infolder.iterdir() if path.is_dir()] if infolder.is_dir() else []
    bands = order_bands(found[1] for found in inside if found and found[0] == size)
    folders = [infolder / band_folder(size, band) for band in bands]
    folders = [folder for folder, band in zip(folders, bands, strict=True) if any(folder.glob(f"*.{band}.jpg"))]
    if parse_band_folder(infolder.resolve().name) or not folders:
        folders = [infolder]
    for folder in folders:
        path = pack(folder, outfolder, size=size, workers=workers, track=track)
        console.print(f"wrote {path}")


@app.command()
def split(
    infolder: Annotated[Path, typer.Option("-i", "--infolder", help="Folder of the packed array files.")] = Path(),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Folder to write to.")] = Path("samples"),
    niter: Niter = NITER,
    folds: FoldsOption = FOLDS,
    seed: Annotated[int, option(Split, "seed", "--seed")] = default(Split, "seed"),
    verbose: Verbose = False,
) -> None:
    """Divide the galaxies into test set, training set and subsamples.

    In: <size>x<size>_<band>.npz of one or more bands, written by `inclinet compress`.

    Out: for every band and subsample <band>_<size>x<size>_train_<kkk>.npz and _test_<kkk>.npz.

    Example: inclinet split -i packed -o samples -n 3
    """
    from inclinet.preparation.split import split as divide

    chosen, size = settings(Split, niter=niter, folds=folds, seed=seed), settings(Size, size=size).size
    written = divide(infolder, outfolder, size=size, settings=chosen, track=track)
    console.print(f"wrote {len(written)} sample files to {outfolder}")


@app.command()
def augment(
    infolder: Annotated[Path, typer.Option("-i", "--infolder", help="Folder of the samples.")] = Path("samples"),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Folder to write to.")] = Path("augmented"),
    niter: Niter = NITER,
    nbatch: Nbatch = NBATCH,
    batchsize: Annotated[int, option(Augment, "batchsize", "-z", "--batchsize")] = default(Augment, "batchsize"),
    seed: Annotated[int, option(Augment, "seed", "--seed")] = default(Augment, "seed"),
    leave_out: Annotated[bool, option(Augment, "leave_out", "--leave_out/--leave_out_none")] = default(
        Augment, "leave_out"
    ),
    preset: PresetOption = PRESET,
    ranges: RangesOption = [],  # noqa: B006 (Typer copies it)
    raw: Annotated[bool, option(Augment, "raw", "--raw")] = default(Augment, "raw"),
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Make stored batches, which are uniform in inclination.

    In: the training sets written by `inclinet split`.

    Out: Uset_<kkk>_npz/<size>x<size>_train_aug_<bb>.npz for each subsample and stored batch.

    Example: inclinet augment -i samples -o augmented -n 3 -b 50 -z 1000 --range zoom_max=1.3
    """
    from inclinet.preparation.augment import augment as make_batches

    chosen = settings(
        Augment,
        nbatch=nbatch,
        batchsize=batchsize,
        seed=seed,
        leave_out=leave_out,
        preset=preset,
        raw=raw,
        **parse_ranges(ranges),
    )
    niter, size = settings(Split, niter=niter).niter, settings(Size, size=size).size
    written = make_batches(infolder, outfolder, size=size, niter=niter, settings=chosen, workers=workers, track=track)
    console.print(f"wrote {len(list(written))} stored batches to {outfolder}")


@app.command()
def train(
    augmented: Annotated[Path, typer.Option("-a", "--augmented", help="Folder of the stored batches.")] = Path(
        "augmented"
    ),
    samples: Annotated[Path, typer.Option("-i", "--samples", help="Folder of the samples.")] = Path("samples"),
    size: SizeOption = SIZE,
    outmodels: Annotated[Path, typer.Option("-o", "--outModels", help="Folder to write to.")] = Path("models"),
    model: Annotated[str, typer.Option("-m", "--modelName", help=f"Network: {', '.join(MODELS)}.")] = default(
        Train, "models"
    )[0],
    niter: Niter = NITER,
    subsample: SubsampleOption = None,
    nbatch: Nbatch = NBATCH,
    passes: Annotated[int, option(Train, "N_batch_iter", "-N", "--N_batch_iter")] = default(Train, "N_batch_iter"),
    minibatch: Annotated[int, option(Train, "training_batch_size", "-z", "--training_batch_size")] = default(
        Train, "training_batch_size"
    ),
    rate: Annotated[float, option(Train, "learning_rate", "--learning_rate")] = default(Train, "learning_rate"),
    schedule: Annotated[str, option(Train, "schedule", "--schedule")] = default(Train, "schedule"),
    warm_up: Annotated[int, option(Train, "warm_up", "--warm_up")] = default(Train, "warm_up"),
    optimizer: Annotated[str, option(Train, "optimizer", "--optimizer")] = default(Train, "optimizer"),
    weight_decay: Annotated[float, option(Train, "weight_decay", "--weight_decay")] = default(Train, "weight_decay"),
    loss: Annotated[str, option(Train, "loss", "--loss")] = default(Train, "loss"),
    catalog: Annotated[
        Path | None,
        typer.Option("-c", "--catalog", help="Catalogue whose errors of labels (inc_e) weigh them; by default equal."),
    ] = None,
    start: StartOption = "",
    store: StartStoreOption = None,
    seed: Annotated[int, option(Train, "seed", "--seed")] = default(Train, "seed"),
    precision: PrecisionOption = PRECISION,
    keep_every: Annotated[int, option(Train, "keep_every", "--keep_every")] = default(Train, "keep_every"),
    patience: Annotated[int, option(Train, "patience", "--patience")] = default(Train, "patience"),
    restart: Annotated[bool, typer.Option("--restart", help="Start again instead of resuming.")] = False,
    verbose: Verbose = False,
) -> None:
    """Train a network on every subsample, or on one, one stored batch at a time.

    In: the stored batches written by `inclinet augment`, and the samples written by `inclinet split`; with --catalog,
    the errors of the labels; with --start, a version of the store, or the file of a network.

    Out: for each subsample snapshots (Uset_<kkk>_<model>_ckpt: the last two, and the best on the left-out galaxies),
    metrics (_evalDict.json), their figure (_evalFig.jpg) and the network (.keras). Call it again to resume an
    interrupted run. Two processes never work on the same network at once.

    Example: inclinet train -a augmented -i samples -m residual -n 3 -b 50 -N 14

    The published recipe: -m model4 --optimizer adam --loss mse --warm_up 0, on batches of --preset published
    """
    check_extra("train")
    niter, nbatch = settings(Split, niter=niter).niter, settings(Augment, nbatch=nbatch).nbatch
    check_fits([model], settings(Size, size=size).size)
    from inclinet.data.catalog import read_catalog
    from inclinet.registry.start import find_starts
    from inclinet.training.train import check_start, train_network

    chosen = settings(
        Train,
        models=(model,),
        N_batch_iter=passes,
        training_batch_size=minibatch,
        learning_rate=rate,
        schedule=schedule,
        warm_up=warm_up,
        optimizer=optimizer,
        weight_decay=weight_decay,
        loss=loss,
        start=start,
        seed=seed,
        precision=precision,
        keep_every=keep_every,
        patience=patience,
    )
    begin = find_starts(start, [model], size, store).get(model)
    subsamples = range(niter + 1) if subsample is None else [subsample]
    if begin:
        check_start(begin, augmented, samples, model=model, size=size, nbatch=nbatch, subsamples=subsamples)
    errors = read_catalog(catalog).errors if catalog else None
    for k in subsamples:
        path = train_network(
            augmented,
            samples,
            outmodels,
            model=model,
            subsample=k,
            size=size,
            nbatch=nbatch,
            settings=chosen,
            start=begin,
            label_errors=errors,
            restart=restart,
            track=track,
        )
        console.print(f"wrote {path}")
