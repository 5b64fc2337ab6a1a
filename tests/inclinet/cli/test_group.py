"""What errors say on the command line."""

import pytest
from typer.main import get_command

from inclinet.cli import group
from inclinet.cli import main as cli
from inclinet.cli.group import check_extra, name_option
from inclinet.errors import InclinetError


@pytest.mark.parametrize(
    ("command", "setting", "option"),
    [
        ("prep", "size", "--size"),
        ("prep", "impath", "--impath"),
        ("augment", "batchsize", "--batchsize"),
        ("train", "outmodels", "--outModels"),
        ("train", "models", "--modelName"),
        ("train", "N_batch_iter", "--N_batch_iter"),
        ("train", "training_batch_size", "--training_batch_size"),
        ("train", "learning_rate", "--learning_rate"),
        ("train", "leave_out", None),
        ("augment", "leave_out", "--leave_out"),
        ("full", "models", "--modelNames"),
        ("full", "bands", "--bands"),
        ("evaluate", "models", "--models"),
        ("predict", "store", "--store"),
        ("predict", "images", None),
        ("models", None, None),
    ],
)
def test_errors_name_the_option_of_the_running_command(command, setting, option):
    commands = get_command(cli.app).commands
    text = name_option(InclinetError("it is wrong", setting=setting), commands[command])
    assert text == (f"it is wrong (option {option})" if option else "it is wrong")


def test_an_option_that_the_message_names_is_not_repeated():
    error = InclinetError("no store: set INCLINET_STORE or give --store", setting="store")
    assert name_option(error, get_command(cli.app).commands["models"]) == str(error)


def test_an_error_of_the_library_is_one_line_with_the_option(inclinet, monkeypatch, tmp_path):
    def fail(*arguments, **options):
        raise InclinetError("size 8 is too small", setting="size")

    monkeypatch.setattr("inclinet.preparation.prep.prep_bands", fail)
    assert inclinet("prep", "-b", "g") == (1, "error: size 8 is too small (option --size)\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("simulate", "inclinet simulate needs GalSim: pip install 'inclinet[simulate]'"),
        ("train", "inclinet train needs Keras and psutil: pip install 'inclinet[train]'"),
        ("full", "inclinet full needs Keras, ONNX and psutil: pip install 'inclinet[train]'"),
        ("publish", "inclinet publish needs Keras and ONNX: pip install 'inclinet[train]'"),
    ],
)
def test_a_command_says_which_extra_it_needs(inclinet, monkeypatch, command, message):
    check_extra(command)
    monkeypatch.setattr(group, "is_installed", lambda module: module == "fcntl")
    assert inclinet(command) == (1, f"error: {message}\n")
