"""All stages in order, in three parts that can be jobs of a scheduler: prepare, train, publish."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from inclinet.cli.app import console, track
from inclinet.cli.evaluation import evaluate_networks
from inclinet.cli.publishing import publish_networks
from inclinet.cli.work import Part, Work
from inclinet.data.bands import band_title
from inclinet.data.catalog import Catalog, read_catalog
from inclinet.data.filenames import skipped_file
from inclinet.errors import InclinetError
from inclinet.evaluation.filenames import REPORT_FILE
from inclinet.figures.naming import name_page
from inclinet.networks.filenames import network_file
from inclinet.records import Record, read_record
from inclinet.registry.admission import promote_last, what_is_in_use
from inclinet.settings import Augment, Sample, Split
from inclinet.storage.addresses import open_named_store
from inclinet.storage.atomic import write_text
from inclinet.storage.claims import claim_folder
from inclinet.training.identity import check_trained
from inclinet.training.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run"]

_PREPARED = "prepared.json"


class _Prepared(Record):
    """The settings that a folder was prepared with."""

    size: int
    sample: Sample
    split: Split
    augment: Augment


def run(work: Work, only: Part | None = None, subsample: int | None = None) -> None:
    """Make, evaluate and publish networks from a folder of images and a catalogue; or do one part of it.

    The version is put into use unless it is worse than simple baselines. `subsample` is that of the part `train`, by
    default all, one after the other.

    Raises
    ------
    InclinetError
        When a stage cannot work with its input; when an earlier part is missing, or had other settings; when another
        process works in the folder.
    """
    chosen = _choose_subsamples(work, only, subsample)
    # Jobs of a part that trains share the folder: each claims its own network.
    with nullcontext() if only is Part.TRAIN else claim_folder(work.folder):
        if only in (None, Part.PREPARE):
            (work.folder / _PREPARED).unlink(missing_ok=True)
            _prepare(work)
            write_text(work.folder / _PREPARED, _prepared(work).model_dump_json(indent=1))
        else:
            _check_prepared(work)
        if only in (None, Part.TRAIN):
            _train(work, chosen)
        if only in (None, Part.PUBLISH):
            _publish(work)


def _choose_subsamples(work: Work, only: Part | None, subsample: int | None) -> Sequence[int]:
    if subsample is None:
        return work.subsamples
    if only is not Part.TRAIN:
        raise InclinetError("a single subsample can only be trained: add --only train", setting="subsample")
    if subsample not in work.subsamples:
        raise InclinetError(
            f"there is no subsample {subsample}: the last one is {work.subsamples[-1]}", setting="niter"
        )
    return [subsample]


def _prepared(work: Work) -> _Prepared:
    unnamed = Sample()  # the command line names images and catalogue by paths, which do not count
    sample = work.sample.model_copy(update={"images": unnamed.images, "catalog": unnamed.catalog})
    return _Prepared(size=work.size, sample=sample, split=work.split, augment=work.augment)


def _check_prepared(work: Work) -> None:
    """Check that the folder was prepared, with the same settings.

    Raises
    ------
    InclinetError
        When it was not.
    """
    noted = read_record(_Prepared, work.folder / _PREPARED)
    if noted is None:
        raise InclinetError(f"{work.folder}: nothing is prepared here; run the part `prepare` first", setting="only")
    before, now = _settings_of(noted), _settings_of(_prepared(work))
    if changed := [name for name in now if now[name] != before[name]]:
        words = ", ".join(f"{name} {before[name]}, not {now[name]}" for name in changed)
        raise InclinetError(
            f"{work.folder}: prepared with {words}: give the same options to every part, or prepare again",
            setting=changed[0],
        )


def _settings_of(prepared: _Prepared) -> dict[str, Any]:
    """Return the settings by name, those of different stages apart."""
    stages = prepared.model_dump(mode="json")
    named = {"size": stages.pop("size")}
    for stage, settings in stages.items():
        named |= {name if name != "seed" else f"{stage} seed": value for name, value in settings.items()}
    return named


def _prepare(work: Work) -> None:
    """Run the stages from the images to the stored batches."""
    from inclinet.preparation.augment import augment as make_batches
    from inclinet.preparation.compress import compress as pack
    from inclinet.preparation.prep import prep_bands
    from inclinet.preparation.split import split as divide

    size, workers = work.size, work.workers
    prepared = prep_bands(
        work.impath,
        work.catalog,
        work.sample.bands,
        imroot=work.sample.imroot,
        size=size,
        framing=work.sample.framing,
        columns=work.columns,
        outfolder=work.folder / "small",
        workers=workers,
        track=track,
    )
    for done in prepared:
        console.print(f"{done.images} images in {done.folder}, {len(done.skipped)} galaxies skipped")
        pack(done.folder, work.folder / "packed", size=size, workers=workers, track=track)
    divide(work.folder / "packed", work.samples, size=size, settings=work.split, track=track)
    make_batches(
        work.samples,
        work.augmented,
        size=size,
        niter=work.split.subsamples,
        settings=work.augment,
        workers=workers,
        track=track,
    )


def _train(work: Work, subsamples: Iterable[int]) -> None:
    """Train every network on some subsamples."""
    from inclinet.training.train import check_start, train_network

    label_errors = _read_catalog(work).errors
    places, size, nbatch = (work.augmented, work.samples), work.size, work.augment.nbatch
    for model, start in work.starts.items():
        check_start(start, *places, model=model, size=size, nbatch=nbatch, subsamples=subsamples)
    for model in work.train.models:
        for subsample in subsamples:
            path = train_network(
                *places,
                work.models,
                model=model,
                subsample=subsample,
                size=size,
                nbatch=nbatch,
                settings=work.train,
                start=work.starts.get(model),
                label_errors=label_errors,
                restart=work.restart,
                track=track,
            )
            console.print(f"wrote {path}")


def _publish(work: Work) -> None:
    """Evaluate the networks of all subsamples, and publish them as a version."""
    names = [(model, subsample) for model in work.train.models for subsample in work.subsamples]
    for model, subsample in names:
        start = work.starts.get(model)
        sha256 = start.record.sha256 if start else ""
        check_trained(work.models, Plan(model, subsample, work.size, work.augment.nbatch, work.train, sha256))
    files = [network_file(subsample, model) for model, subsample in names]
    evaluation, size = work.folder / "evaluation", work.size
    evaluate_networks(
        work.models,
        work.samples,
        work.augmented,
        evaluation,
        size=size,
        catalog=_read_catalog(work),
        files=files,
        sample=f"{work.impath}, with {work.catalog}",
        skipped=_read_skipped(work),
    )
    store = open_named_store(str(work.folder))
    if work.split.folds:  # the other networks have done their work
        files = [network_file(0, model) for model in work.train.models]
    published = publish_networks(
        work.models, work.samples, evaluation, size, store, _how(work), files, framing=work.sample.framing
    )
    name_page(evaluation / REPORT_FILE, {"Version": published.version})
    champion, why_not = promote_last(store, published)
    console.print(what_is_in_use(published.version, champion, why_not), markup=False)
    chosen = "" if champion and champion.version == published.version else f" --version {published.version}"
    console.print(f"to use it: inclinet predict --store {work.folder}{chosen} image.jpg", markup=False)


def _read_catalog(work: Work) -> Catalog:
    return read_catalog(work.catalog, columns={key: name for key, name in work.columns.items() if key != "image"})


def _read_skipped(work: Work) -> "pd.DataFrame":
    """Return the galaxies that prep skipped, from its table for each band: `pgc`, `where` and `reason`."""
    import pandas as pd

    tables = {band: work.folder / "small" / skipped_file(work.size, band) for band in work.sample.bands}
    parts = [
        pd.read_csv(path, dtype=str, keep_default_na=False).assign(where=band_title(band))
        for band, path in tables.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _how(work: Work) -> dict[str, Any]:
    """Return the settings of the networks, for the record."""
    stages = {"split": work.split, "augment": work.augment, "train": work.train}
    how: dict[str, Any] = {name: stage.model_dump(mode="json", exclude_none=True) for name, stage in stages.items()}
    how["train"]["start"] = {model: start.record.sha256 for model, start in work.starts.items()}
    how["framing"] = work.sample.framing
    return how
