"""What the REST API answers."""

import io

import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table

import inclinet
from tests.inclinet.serve.conftest import files, jpeg


def test_an_answer_is_that_of_inclinet_predict(client, tmp_path):
    (tmp_path / "pgc7_x_gri.jpg").write_bytes(jpeg(70))
    [row] = inclinet.predict(tmp_path / "pgc7_x_gri.jpg", version="shipped").to_dict("records")
    done = client.post("/api/predict", files=files(("pgc7_x_gri.jpg", jpeg(70)))).json()
    [answer] = done["answers"]
    assert answer["title"] == "PGC 7"
    for name in ("inclination", "error", "low68", "high95"):
        assert answer[name] == pytest.approx(row[name])
    assert answer["networks"] == {"residual_0": pytest.approx(row["residual_0"])}
    assert answer["row"]["pgc"] == 7
    assert [flag["flag"] for flag in answer["flags"]] == [flag for flag in row["flag"].split("; ") if flag]
    assert all(flag["meaning"] for flag in answer["flags"])
    assert done["version"]["version"] in done["version"]["about"]
    assert "deg RMS" in done["version"]["about"]


def test_the_ellipse_lies_on_the_galaxy(client):
    done = client.post("/api/predict", files=files(("disc.jpg", jpeg(70, angle=0.5))), data={"pictures": "true"})
    picture = done.json()["answers"][0]["picture"]
    assert picture["data"].startswith("data:image/jpeg;base64,")
    ellipse = picture["ellipse"]
    assert ellipse["x"] == pytest.approx(0.5, abs=0.02)
    assert ellipse["y"] == pytest.approx(0.5, abs=0.02)
    assert ellipse["position_angle"] == pytest.approx(28.6, abs=3)
    assert ellipse["semi_minor"] / ellipse["semi_major"] == pytest.approx(0.39, abs=0.06)


def test_the_images_of_a_galaxy_get_one_answer(client):
    given = files(*((f"pgc5_x_{band}.png", jpeg(60)) for band in "gri"), ("other.jpg", jpeg(80)))
    first, second = client.post("/api/predict", files=given).json()["answers"]
    assert (first["title"], first["row"]["n_images"]) == ("PGC 5", 3)
    assert second["title"] == "other.jpg"
    assert second["picture"] is None


def test_an_image_that_cannot_be_used_does_not_stop_the_others(client):
    done = client.post("/api/predict", files=files(("a.jpg", jpeg()), ("b.jpg", b"nothing"))).json()
    assert done["answers"][0]["inclination"]
    assert done["answers"][1]["inclination"] is None
    assert "not a readable image" in done["answers"][1]["problem"]


def test_every_row_of_a_catalogue_has_an_answer(client):
    catalogue = b"name,inc,image\nNGC 1,60,\nNGC 2,70,\nother,80,/etc/x/special.jpg\nfourth,50,../passwd\n"
    given = files(("catalog.csv", catalogue), ("ngc_2-r.jpg", jpeg(70)), ("special.jpg", jpeg(80)))
    answers = client.post("/api/predict", files=given).json()["answers"]
    assert [one["title"] for one in answers] == ["NGC 1", "NGC 2", "other", "fourth"]
    assert [one["inclination"] is None for one in answers] == [True, False, False, True]
    assert answers[1]["row"]["truth"] == 70
    assert answers[3]["problem"] == "no image of it was uploaded"


def test_galaxies_are_fetched_by_name_position_and_catalogue(sky, client):
    sky.shapes["NGC 2841"] = (8.1, 147)
    done = client.get("/api/galaxy", params={"name": "NGC 2841", "pictures": True})
    assert done.status_code == 200, done.text
    named = done.json()["answers"][0]
    assert named["title"] == "NGC 2841"
    assert named["picture"]["ellipse"]
    placed = client.get("/api/galaxy", params={"name": "140.51,50.98", "size": "8.1arcmin"}).json()["answers"][0]
    assert placed["inclination"] == pytest.approx(named["inclination"], abs=5)
    no_size = client.get("/api/galaxy", params={"name": "140.51,50.98"})
    assert no_size.status_code == 422
    assert "a position alone has no size" in no_size.json()["detail"]
    catalogue = b"name,ra,dec,d25\nNGC 2841,140.51,50.98,8.1\nnowhere,1,-80,1\n"
    done = client.post("/api/predict", files=files(("c.csv", catalogue)), data={"fetch": "true"}).json()["answers"]
    assert [one["title"] for one in done] == ["NGC 2841", "nowhere"]
    assert done[0]["inclination"]
    assert done[1]["problem"]


@pytest.mark.parametrize("kind", ["csv", "ecsv", "fits", "vot", "json"])
def test_answers_come_back_as_a_table(client, kind):
    given = files(("pgc5_x_g.png", jpeg(60)), ("b.jpg", b"nothing"))
    rows = [one["row"] for one in client.post("/api/predict", files=given).json()["answers"]]
    done = client.post("/api/table", params={"format": kind}, json={"rows": rows})
    assert f'filename="inclinations.{kind}"' in done.headers["Content-Disposition"]
    if kind == "json":
        assert done.json()["predictions"][0]["pgc"] == 5
        return
    if kind == "csv":
        table = pd.read_csv(io.BytesIO(done.content))
    else:
        known = {"ecsv": "ascii.ecsv", "fits": "fits", "vot": "votable"}
        table = Table.read(io.BytesIO(done.content), format=known[kind])
    assert len(table) == 2
    assert table["inclination"][0] == pytest.approx(rows[0]["inclination"], abs=0.01)
    if kind == "fits":
        assert rows[0]["version"] in str(fits.getheader(io.BytesIO(done.content), 1))


def test_health_metrics_and_the_description(client):
    assert client.get("/health").json()["status"] == "ok"
    client.post("/api/predict", files=files(("a.jpg", jpeg())))
    metrics = client.get("/metrics").text
    assert 'inclinet_requests_total{path="/api/predict",status="200"}' in metrics
    assert "process_resident_memory_bytes" in metrics
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/api/predict", "/api/galaxy", "/api/table", "/health", "/metrics"} <= paths.keys()
    page = client.get("/docs").text
    for path in paths:
        assert path in page
    assert "curl -F files=@galaxy.jpg http://127.0.0.1/api/predict" in page
    assert "://" not in page.replace("http://127.0.0.1/", "")  # nothing from elsewhere


def test_the_pages_need_nothing_from_elsewhere(client):
    page = client.get("/")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    for name in ("style.css", "predict.js", "common.js", "dial.js", "label.js", "icon.svg", "reference/late_45.jpg"):
        assert client.get(f"/static/{name}").status_code == 200
