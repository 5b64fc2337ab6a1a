"""The list of commands in `inclinet --help`, and what errors say on the command line."""

from typing import Any

from typer.core import TyperGroup

from inclinet.errors import InclinetError
from inclinet.networks.backend import is_installed

__all__ = ["GROUPS", "CommandGroup", "check_extra", "name_option"]

GROUPS = {
    "Predict": ("predict", "serve", "cutouts", "models", "promote"),
    "Make networks, step by step": ("prep", "compress", "split", "augment", "train", "evaluate", "publish"),
    "Make networks, all at once": ("full",),
    "Look after a store": ("prune",),
    "Try it out": ("simulate",),
}
"""Commands in the order of the help, by the title of their group."""

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


class CommandGroup(TyperGroup):
    """All commands: listed by group, their errors completed by the option to change."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by group."""
        width = max(map(len, self.commands))
        for title, names in GROUPS.items():
            rows = [(name, self.commands[name].get_short_help_str(formatter.width - width - 6)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])

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
        Naming the missing packages and the extra that installs them.
    """
    extra, modules = _EXTRAS[command]
    missing = [_TITLES[module] for module in modules if not is_installed(module)]
    if missing:
        named = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        raise InclinetError(f"inclinet {command} needs {named}: pip install 'inclinet[{extra}]'")
