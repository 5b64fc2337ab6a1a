"""The list of commands in `inclinet --help`, and what errors say on the command line."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command_from_info

from inclinet.errors import InclinetError
from inclinet.networks.backend import is_installed

__all__ = ["GROUPS", "CommandGroup", "check_extra", "name_option"]

GROUPS = {
    "Predict": {
        "predict": ("predict", "Predict the inclination of galaxies from their images."),
        "serve": ("serve", "Open a web page that tells the inclination of the galaxies you drop on it."),
        "cutouts": ("cutouts", "Fetch images of galaxies by name or position."),
        "models": ("versions", "List the versions, and say which one is in use."),
        "promote": ("versions", "Put a version into use."),
    },
    "Make networks, step by step": {
        "prep": ("stages", "Downsample the images of one band or several."),
        "compress": ("stages", "Pack each band's downsampled images into one array file."),
        "split": ("stages", "Divide the galaxies into test set, training set and subsamples."),
        "augment": ("stages", "Make stored batches, which are uniform in inclination."),
        "train": ("stages", "Train a network on every subsample, or on one, one stored batch at a time."),
        "evaluate": ("evaluation", "Evaluate networks on the test galaxies."),
        "publish": ("versions", "Publish trained networks as a version."),
    },
    "Make networks, all at once": {
        "full": ("full", "Run all stages in order on this machine, without the service."),
    },
    "Look after a store": {
        "prune": ("prune", "Remove old runs, versions and artifacts, and snapshots of finished networks."),
    },
    "Try it out": {
        "simulate": ("simulate", "Simulate galaxies of known inclination."),
    },
}
"""By title of its group, each command: its module, which is imported when it runs, and its line in the help."""

_EXTRAS = {
    "train": ("train", ("keras", "psutil")),
    "publish": ("train", ("keras", "onnx")),
    "full": ("train", ("keras", "onnx", "psutil")),
    "simulate": ("simulate", ("galsim",)),
    "serve": ("serve", ("fastapi", "uvicorn", "python_multipart", "prometheus_client")),
}
_TITLES = {
    **{"galsim": "GalSim", "keras": "Keras", "onnx": "ONNX", "psutil": "psutil", "fastapi": "FastAPI"},
    **{"uvicorn": "uvicorn", "python_multipart": "python-multipart", "prometheus_client": "prometheus-client"},
}


class _Commands(MutableMapping[str, Any]):
    """The commands by name; the module of one is imported when it is looked up.

    `loaded` are those of modules that are imported already.
    """

    def __init__(self, loaded: MutableMapping[str, Any]) -> None:
        self._loaded = loaded
        self._modules = {name: module for group in GROUPS.values() for name, (module, _) in group.items()}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            from inclinet.cli.app import app  # which needs this module

            callback = getattr(import_module(f"inclinet.cli.{self._modules[name]}"), name)
            [info] = [info for info in app.registered_commands if info.callback is callback]
            self._loaded[name] = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


class CommandGroup(TyperGroup):
    """All commands: imported when they are used, listed by group, their errors completed by the option to change."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by group."""
        width = max(map(len, self.commands))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, (_, text) in commands.items()])

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the user named."""
        try:
            return super().invoke(ctx)
        except InclinetError as error:
            raise InclinetError(name_option(error, self.commands[ctx.invoked_subcommand])) from error


def name_option(error: InclinetError, command: Any) -> str:
    """Return the text of an error, with the option of `command` (a Click command) for the setting that it names.

    An option is found by its flags or by the name of its parameter. Singular and plural are the same: of a command that
    trains one network, `--modelName` is the option for the setting `models`.
    """
    if error.setting is None:
        return str(error)
    setting = _normalise(error.setting)
    for parameter in command.params:
        flags = [flag for flag in parameter.opts if flag.startswith("-")]
        if flags and setting in map(_normalise, (parameter.name, *flags)):
            option = max(flags, key=len)
            return str(error) if option in str(error) else f"{error} (option {option})"
    return str(error)


def _normalise(name: str) -> str:
    return name.lstrip("-").replace("-", "_").casefold().removesuffix("s")


def check_extra(command: str) -> None:
    """Check that the packages are installed that `command` needs beyond the core.

    Raises
    ------
    InclinetError
        Naming the missing packages and the extra that installs them, or a system that makes networks.
    """
    extra, modules = _EXTRAS[command]
    if extra == "train" and not is_installed("fcntl"):  # a module of POSIX
        raise InclinetError(f"inclinet {command} runs on Linux and macOS: on Windows, run it in WSL 2")
    missing = [_TITLES[module] for module in modules if not is_installed(module)]
    if missing:
        named = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        raise InclinetError(f"inclinet {command} needs {named}: pip install 'inclinet[{extra}]'")
