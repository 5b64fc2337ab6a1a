import pytest

from flows.evaluate import evaluate
from flows.same_code import check_same_code
from flows.share import share
from flows.train import train
from inclinet.errors import InclinetError
from inclinet.storage.code_digest import code_digest


def test_the_same_code_and_an_unknown_one_pass():
    check_same_code(code_digest("tasks.train"), "tasks.train")
    check_same_code("", "tasks.train")


def test_other_code_is_refused():
    with pytest.raises(InclinetError, match="the workers run different code, so nothing was done"):
        check_same_code(code_digest("tasks.train"), "tasks.champion")


@pytest.mark.parametrize("child", [train, evaluate, share], ids=["train", "evaluate", "share"])
def test_a_child_run_looks_before_it_does_anything(child):
    """With nothing but the code of its parent, it could not do more."""
    nothing = dict.fromkeys(child.parameters.properties)
    with pytest.raises(InclinetError, match="nothing was done"):
        child.fn(**nothing | {"code": "another"})
