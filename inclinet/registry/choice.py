"""Which version predicts: the one named, the one in use in a store, or the one that ships with the package."""

import os
from dataclasses import dataclass
from pathlib import Path

from inclinet.errors import InclinetError
from inclinet.evaluation.filenames import CALIBRATION_FILE, NOVELTY_FILE
from inclinet.registry.champion import read_champion
from inclinet.registry.copies import fetch_version
from inclinet.registry.shipped import NONE_SHIPPED, SHIPPED, read_shipped, shipped_by, shipped_folder
from inclinet.registry.statement import state, why_not
from inclinet.registry.versions import PublishedVersion, find_version
from inclinet.storage.addresses import open_named_store
from inclinet.storage.store import Store

__all__ = ["Choice", "choose", "find_named_store"]


@dataclass(frozen=True)
class Choice:
    """The version that predicts.

    Attributes
    ----------
    published : PublishedVersion
    store : Store or None
        Where it comes from; None if it ships with the package.
    instead_of : str
        Address of the store that was asked for and has no version in use; empty unless the shipped version predicts for
        that reason.
    """

    published: PublishedVersion
    store: Store | None
    instead_of: str = ""

    @property
    def origin(self) -> str:
        """Where the version comes from: the address of its store, or `inclinet 0.2.0`."""
        return self.store.uri if self.store else shipped_by()

    @property
    def statement(self) -> str:
        """One line, in ASCII if the address of the store is: which version it is, what it learned, how well it does."""
        where = "" if self.store else f", shipped with {shipped_by()}"
        why = f", because no version is in use in {self.instead_of}" if self.instead_of else ""
        return f"version {self.published.version}{where}{why}: {state(self.published.info)}"

    @property
    def is_for_science(self) -> bool:
        """Whether nothing speaks against using it for science; if not, `statement` says why."""
        return why_not(self.published.info) is None

    def fetch(self, *names: str) -> Path:
        """Return a local folder with the files that predicting needs, or with those of `names` that the version has.

        Raises
        ------
        InclinetError
            When one is missing or damaged in the store.
        """
        if self.store is None:
            return shipped_folder()
        names = names or (*self.published.networks, CALIBRATION_FILE, NOVELTY_FILE)
        return fetch_version(self.store, self.published, names=names)


def find_named_store(uri: str | None = None) -> Store | None:
    """Return the store at `uri`, by default the one that `INCLINET_STORE` names; None if neither names one.

    Raises
    ------
    InclinetError
        When there can be no store of that address.
    """
    return open_named_store(uri) if uri or os.environ.get("INCLINET_STORE") else None


def choose(where: Store | str | None = None, version: str | None = None) -> Choice:
    """Return the version to predict with.

    Parameters
    ----------
    where : Store or str, optional
        Store of the version, or its address. Default: the one that the environment variable `INCLINET_STORE` names, if
        it is set.
    version : str, optional
        Name of a version; `shipped` is the one that ships with the package. Default: the version in use in the store;
        the shipped one if none is in use there, or no store is named.

    Raises
    ------
    InclinetError
        When there is no such version, or none to fall back on.
    """
    shipped = read_shipped()
    if version == SHIPPED and shipped is None:
        raise InclinetError(f"{NONE_SHIPPED}; name one of a store, as `inclinet models` lists them", setting="version")
    if shipped and version in (SHIPPED, shipped.version):
        return Choice(shipped, None)
    store = find_named_store(where) if where is None or isinstance(where, str) else where
    if store is None:
        return _without_store(shipped, version)
    if version is not None:
        return Choice(find_version(store, version), store)
    if champion := read_champion(store):
        return Choice(find_version(store, champion.version), store)
    if shipped:
        return Choice(shipped, None, instead_of=store.uri)
    raise InclinetError(
        f"{store.uri}: no version is in use, and {NONE_SHIPPED}; run `inclinet models`, then `inclinet promote VERSION`"
    )


def _without_store(shipped: PublishedVersion | None, version: str | None) -> Choice:
    name = "set the environment variable INCLINET_STORE, or give the address of a store: s3://bucket/prefix or a folder"
    if version is not None:
        raise InclinetError(
            f"version {version} does not ship with {shipped_by()}, and no store is named: {name}", setting="store"
        )
    if shipped is None:
        raise InclinetError(f"no store is named, and {NONE_SHIPPED}: {name}", setting="store")
    return Choice(shipped, None)
