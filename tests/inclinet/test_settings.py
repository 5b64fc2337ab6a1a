import pytest

from inclinet import settings
from inclinet.data.bands import BANDS

MODELS = [getattr(settings, name) for name in settings.__all__ if hasattr(getattr(settings, name), "model_fields")]


@pytest.mark.parametrize("model", MODELS)
def test_every_setting_has_a_title_and_a_description(model):
    """The form of the Prefect UI shows both."""
    for name, field in model.model_json_schema()["properties"].items():
        assert field["title"], name
        assert field["description"].endswith("."), name
    assert model.model_json_schema()["description"].endswith(".")


def test_the_bands_of_the_settings_are_the_bands():
    assert settings.Sample().bands == BANDS
    assert settings.Sample(bands=("z", "gri", "W1", "g")).bands == ("g", "gri", "W1", "z")
    for band in ("RGB", "c", "a/b", "..", ""):
        with pytest.raises(ValueError, match="gri" if band in ("RGB", "c") else "pattern"):
            settings.Sample(bands=(band,))


def test_bands_in_any_order_are_the_same_sample():
    assert settings.Sample(bands=("gri", "g")) == settings.Sample(bands=("g", "gri"))
    with pytest.raises(ValueError, match="a band is named twice"):
        settings.Sample(bands=("g", "g"))
