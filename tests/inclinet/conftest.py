"""Fixtures of the tests of the library."""

import pandas as pd
import pytest

from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.samples import find_samples, read_samples
from inclinet.evaluation.evaluate import Background, predict_galaxies, read_pictures, read_trainings, report
from inclinet.preparation.augment import augment
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep
from inclinet.preparation.split import split
from inclinet.registry.card import assemble, code_facts, count_training
from inclinet.registry.champion import promote
from inclinet.registry.versions import VersionInfo, publish
from inclinet.settings import Augment, Split, Train
from inclinet.storage.addresses import open_store

SIZE = 24


@pytest.fixture(scope="session")
def stored(tmp_path_factory, small_sample):
    """Samples and two stored batches of the plain discs."""
    folder = tmp_path_factory.mktemp("stored")
    for band in ("g", "gri"):
        done = prep(small_sample / "galaxies", small_sample / "catalog.csv", band, size=SIZE, outfolder=folder)
        compress(done.folder, folder, size=SIZE)
    split(folder, folder / "samples", size=SIZE, settings=Split(niter=0))
    augment(folder / "samples", folder, size=SIZE, niter=0, settings=Augment(nbatch=2, batchsize=4))
    return folder


@pytest.fixture(scope="session")
def published(stored, small_sample, tmp_path_factory):
    """A store with a version in use, and the folder of its evaluation."""
    # These import Keras, which most tests do not need.
    from inclinet.networks.export import export_network
    from inclinet.networks.load import load_keras
    from inclinet.training.train import train_network

    out = tmp_path_factory.mktemp("published")
    settings = Train(N_batch_iter=40, training_batch_size=16)
    train_network(stored, stored / "samples", out / "models", subsample=0, size=SIZE, nbatch=2, settings=settings)
    table, left_out = predict_galaxies(out / "models", stored / "samples", size=SIZE)
    test, training = (read_samples(find_samples(stored / "samples", SIZE, side, 0), SIZE) for side in ("test", "train"))
    batch = stored / batch_folder(0) / batch_file(SIZE, 1)
    # Each left-out galaxy six times over: so few of them calibrate nothing.
    left_out = {
        name: pd.concat([rows.assign(pgc=rows["pgc"] + 100 * k) for k in range(6)]) for name, rows in left_out.items()
    }
    report(
        table,
        out / "evaluation",
        catalog=small_sample / "catalog.csv",
        left_out=left_out,
        background=Background(read_pictures(test, training, batch), read_trainings(out / "models", left_out)),
    )
    info = VersionInfo(size=SIZE, bands=("c", "g"), settings={"size": SIZE}, code=code_facts())
    (out / "bundle").mkdir()
    networks = list((out / "models").glob("*.keras"))
    networks += [export_network(load_keras(path), path.with_suffix(".onnx")) for path in networks]
    info = assemble(out / "bundle", networks, out / "evaluation", info, count_training(training))
    store = open_store(str(out / "store"))
    promote(store, publish(store, out / "bundle", info).version, "the first")
    return store, out / "evaluation"
