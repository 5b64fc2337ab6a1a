from inclinet.storage.addresses import open_store
from inclinet.storage.artifacts import Artifacts
from inclinet.storage.lineage import ancestors, lineage


def test_lineage_tells_what_each_artifact_was_made_from(tmp_path):
    artifacts = Artifacts(open_store(str(tmp_path / "store")), tmp_path / "cache")

    def made_from(name, *parents):
        def work(folder):
            (folder / f"{name}.txt").write_text(name)
            return {}

        inputs = {parent.name: parent.digest for parent in parents} | {"image": "0" * 64}
        return artifacts.make("stage", name, inputs=inputs, settings={"n": 1}, code=name, work=work, run="run")

    first = made_from("first")
    second = made_from("second", first)
    third = made_from("third", second, first)
    made = lineage(artifacts, [third, first, second])
    assert made[second.key] == {
        "digest": second.digest,
        "settings": {"n": 1},
        "code": "second",
        "run": "run",
        "inputs": {
            "first": {"digest": first.digest, "artifact": first.key},
            "image": {"digest": "0" * 64, "artifact": None},
        },
    }
    assert ancestors(made, third.key) == sorted([first.key, second.key])
    assert ancestors(made, first.key) == []
