"""Publishing trained networks, for the commands `publish` and `full`."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from inclinet.cli.app import console
from inclinet.data.bands import band_letter
from inclinet.data.samples import find_samples, read_samples
from inclinet.networks.filenames import EXPORTED
from inclinet.networks.listing import list_networks
from inclinet.registry.card import assemble, code_facts, count_training
from inclinet.registry.galaxies import GALAXIES_FILE, write_galaxies
from inclinet.registry.statement import state
from inclinet.registry.versions import PublishedVersion, VersionInfo
from inclinet.registry.versions import publish as publish_folder
from inclinet.settings import Framing
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.digests import sha256
from inclinet.storage.store import Store
from inclinet.training.start import read_starts

__all__ = ["publish_networks"]


def publish_networks(
    models: Path,
    samples: Path,
    evaluation: Path,
    size: int,
    store: Store,
    how: dict[str, Any] | None = None,
    files: Collection[str] | None = None,
    *,
    framing: Framing,
) -> PublishedVersion:
    """Publish the networks in a folder (all, or those in `files`).

    `framing` is that of the images that they were trained on: predicting frames in the same way. `how` are the settings
    that they were trained with, for the record.
    """
    train_files = find_samples(samples, size, "train", 0)
    train = read_samples(train_files, size)
    networks = list_networks(models, files)
    info = VersionInfo(
        size=size,
        framing=framing,
        bands=tuple(band_letter(band) for band in train),
        settings={"size": size, **(how or {})},
        lineage={path.name: sha256(path) for path in train_files.values()},
        code=code_facts(),
    )
    with temporary_folder("publish") as folder, temporary_folder("export") as exported:
        networks += [_export(path, exported) for path in networks]
        info = assemble(folder, networks, evaluation, info, count_training(train))
        write_galaxies(folder / GALAXIES_FILE, train, read_starts(networks).values())
        published = publish_folder(store, folder, info)
    console.print(f"published {published.version} in {store.uri}/registry", markup=False)
    console.print(
        f"version {published.version}: {state(published.info)}", markup=False, highlight=False, soft_wrap=True
    )
    return published


def _export(path: Path, folder: Path) -> Path:
    """Export a trained network into a folder; returns its file."""
    from inclinet.networks.export import export_network
    from inclinet.networks.load import load_keras

    return export_network(load_keras(path), folder / path.with_suffix(EXPORTED).name)
