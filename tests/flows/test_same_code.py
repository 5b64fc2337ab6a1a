import pytest

from flows.same_code import check_same_code
from inclinet.errors import InclinetError
from inclinet.storage.code_digest import code_digest


def test_the_same_code_and_an_unknown_one_pass():
    check_same_code(code_digest("tasks.train"), "tasks.train")
    check_same_code("", "tasks.train")


def test_other_code_is_refused():
    with pytest.raises(InclinetError, match="the workers run different code, so nothing was done"):
        check_same_code(code_digest("tasks.train"), "tasks.champion")
