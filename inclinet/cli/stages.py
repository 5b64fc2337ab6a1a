"""The command line: one command a stage, thin."""

from pathlib import Path
from typing import Annotated

import typer

from inclinet.cli.app import (
    NBATCH,
    NITER,
    PRECISION,
    SIZE,
    Nbatch,
    Niter,
    PrecisionOption,
    SizeOption,
    Verbose,
    Workers,
    app,
    console,
    default,
    option,
    settings,
    show_table,
    track,
)
from inclinet.data.bands import BANDS
from inclinet.data.filenames import band_folder, batch_file, batch_folder, parse_band_folder
from inclinet.networks.filenames import network_file
from inclinet.settings import Augment, Sample, Size, Split, Train

__all__ = ["app", "show_evaluation"]


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
    from inclinet.preparation import prep as stage

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
    from inclinet.preparation import compress as stage

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
    from inclinet.preparation import split as stage

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
    from inclinet.preparation import augment as stage

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
    from inclinet.networks.architectures import check_fits

    niter, nbatch = settings(Split, niter=niter).niter, settings(Augment, nbatch=nbatch).nbatch
    check_fits([model], settings(Size, size=size).size)
    from inclinet.training.train import train_network as stage

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
    augmented: Annotated[
        Path, typer.Option("-a", "--augmented", help="Folder of the stored batches, to show some.")
    ] = Path("augmented"),
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
    """Evaluate the networks on the test galaxies, and calibrate their error bars on left-out ones.

    In: the networks of `inclinet train` and the samples of `inclinet split`, or a table of predictions.

    Out: report.html with all figures and tables, predictions.csv, metrics.json, calibration.json; on screen RMS, MAE,
    bias … of every network, of their mean and median, and of the baselines.

    Example: inclinet evaluate -i samples -m models -c catalog.csv -o evaluation
    """
    from inclinet.evaluation.evaluate import report
    from inclinet.evaluation.predictions import read_predictions

    if predictions is None:
        _evaluate(models, samples, augmented, settings(Size, size=size).size, outfolder, catalog)
    else:
        _show_report(report(read_predictions(predictions), outfolder, catalog=catalog), outfolder)


def _evaluate(
    models: Path,
    samples: Path,
    augmented: Path,
    size: int,
    outfolder: Path,
    catalog: Path | None,
    files: list[str] | None = None,
) -> None:
    from inclinet.data.samples import find_samples, read_samples
    from inclinet.evaluation.evaluate import predict_galaxies, read_pictures, report

    table, left_out = predict_galaxies(models, samples, files=files, size=size, track=track)
    test, train = (read_samples(find_samples(samples, size, side, 0), size) for side in ("test", "train"))
    pictures = read_pictures(test, train, augmented / batch_folder(0) / batch_file(size, 1))
    _show_report(report(table, outfolder, catalog=catalog, left_out=left_out, pictures=pictures), outfolder)


def _show_report(evaluation: dict | None, outfolder: Path) -> None:
    from inclinet.evaluation.evaluate import NOTHING_TO_EVALUATE

    if evaluation is None:
        console.print(NOTHING_TO_EVALUATE)
        return
    show_evaluation(evaluation)
    console.print(f"wrote {outfolder / 'report.html'}, and beside it predictions.csv, metrics.json and figures")


def show_evaluation(evaluation: dict) -> None:
    """Print what fits a terminal of the result table of an evaluation."""
    from inclinet.evaluation.results import metric_rows, summary

    title = f"{evaluation['images']} test images of {evaluation['galaxies']} galaxies; angles in degrees"
    shown = ("", "n", "RMS", "95 % CI", "MAE", "bias", "68 %", "> 10")
    show_table([{name: row[name] for name in shown} for row in metric_rows(summary(evaluation))], title)


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
    from inclinet.simulation import simulate as stage

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
    augmented/, models/, evaluation/, registry/ for `inclinet predict --store`.

    Example: inclinet full -p galaxies -c catalog.csv -s 64 -n 2 -b 10 -z 50 -N 3
    """
    from inclinet.networks.architectures import check_fits
    from inclinet.registry.admission import what_is_in_use, why_not_in_use
    from inclinet.registry.champion import promote
    from inclinet.storage.store import open_named_store

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
    evaluation = folder / "evaluation"
    _evaluate(folder / "models", folder / "samples", folder / "augmented", size, evaluation, catalog, files)
    how = {"niter": niter, "nbatch": nbatch, "batchsize": batchsize, "N_batch_iter": passes, "models": networks}
    from inclinet.cli.versions import publish_networks

    store = open_named_store(str(folder))
    version = publish_networks(folder / "models", folder / "samples", evaluation, size, store, how, files)
    why_not = why_not_in_use(version.info)
    champion = None if why_not else promote(store, version.version, "the last run")
    console.print(what_is_in_use(version.version, champion, why_not), markup=False)
    chosen = "" if champion else f" --version {version.version}"
    console.print(f"to use it: inclinet predict --store {folder}{chosen} image.jpg", markup=False)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
