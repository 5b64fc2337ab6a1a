"""What the champion's predictions for a challenger's test set depend on."""

from inclinet.storage import code_digest


def covered(module):
    """Return the modules whose code the digest of a module covers."""
    found, todo = set(), {module}
    while todo:
        found |= todo
        todo = {name for one in todo for name in code_digest._imports(one)} - found - code_digest._WITHOUT_EFFECT
    return found


def test_predictions_depend_on_the_networks_code_and_not_on_reports():
    modules = covered("tasks.champion")
    assert {"inclinet.networks.infer", "inclinet.evaluation.predictions", "inclinet.data.samples"} <= modules
    assert not {name for name in modules if name.startswith(("inclinet.evaluation.", "inclinet.registry."))} - {
        *("inclinet.evaluation.filenames", "inclinet.evaluation.predictions"),
        *("inclinet.registry.copies", "inclinet.registry.versions"),
    }
