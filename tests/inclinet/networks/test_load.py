import pytest

from inclinet.errors import InclinetError
from inclinet.networks import load
from inclinet.networks.build import build
from inclinet.networks.export import export_network
from inclinet.networks.load import load_network
from inclinet.networks.save import save_network

SIZE = 24


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_network(build("model4", SIZE, seed=3), tmp_path_factory.mktemp("network") / "a.keras")


def test_the_same_network_gives_the_same_bytes(saved, tmp_path):
    again = save_network(build("model4", SIZE, seed=3), tmp_path / "b.keras")
    assert again.read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:3000],
        lambda data: data[:-5],
        lambda data: data[:3000] + bytes([data[3000] ^ 255]) + data[3001:],
        lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 255]) + data[len(data) // 2 + 1 :],
        lambda data: data.replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xeb"),  # of a later zip
    ],
)
def test_a_damaged_network_is_named(saved, tmp_path, damage):
    path = tmp_path / "damaged.keras"
    path.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(InclinetError, match="damaged.keras: not a trained network"):
        load_network(path)


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:3000], lambda data: b"\xff" + data[1:]])
def test_a_damaged_exported_network_is_named(tmp_path, damage, capfd):
    path = export_network(build("model4", SIZE), tmp_path / "damaged.onnx")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InclinetError, match="damaged.onnx: not an exported network"):
        load_network(path)
    assert capfd.readouterr().err == ""


def test_a_missing_network_is_named(tmp_path):
    with pytest.raises(InclinetError, match="none.onnx: no such network"):
        load_network(tmp_path / "none.onnx")


def test_without_keras_only_exported_networks_can_be_loaded(saved, monkeypatch):
    monkeypatch.setattr(load, "is_installed", lambda module: module != "keras")
    with pytest.raises(InclinetError, match=r"a\.keras: needs Keras, because it is not exported to ONNX"):
        load_network(saved)
