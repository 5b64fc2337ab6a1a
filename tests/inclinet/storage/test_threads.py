import pytest

from inclinet.storage.threads import in_threads


@pytest.mark.parametrize("workers", [1, 4, None])
def test_results_are_in_order(workers):
    assert list(in_threads(lambda x: x * x, range(100), workers)) == [x * x for x in range(100)]


def test_only_a_few_items_are_taken_ahead():
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    results = in_threads(lambda x: x, items(), 2)
    assert next(results) == 0
    assert len(taken) < 10
    results.close()


def test_an_error_ends_the_work():
    done = []

    def work(x):
        if x == 3:
            raise ValueError("three")
        done.append(x)
        return x

    with pytest.raises(ValueError, match="three"):
        list(in_threads(work, range(1000), 2))
    assert len(done) < 20
