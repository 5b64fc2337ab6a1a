"""A stand-in for the image servers and name servers: it speaks their HTTP, and paints galaxies of known shape."""

import csv
import io
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from astropy.io import fits
from PIL import Image

VARIABLES = {
    "INCLINET_SDSS_URL": "/dr18/SkyServerWS",
    "INCLINET_LEGACY_URL": "/viewer",
    "INCLINET_HIPS_URL": "/hips-image-services",
    "INCLINET_SESAME_URL": "/cgi-bin/nph-sesame",
    "INCLINET_SIMBAD_URL": "/simbad",
}


@dataclass(frozen=True)
class Galaxy:
    """Position and position angle in degrees, D25 in arcmin."""

    ra: float
    dec: float
    d25: float
    pa: float
    axis_ratio: float = 0.4


def paint(galaxies, ra, dec, field, pixels, seed=0):
    """Return brightness, (pixels, pixels): north up, east left; `field` in arcmin."""
    rng = np.random.default_rng(seed)
    light = 6 + 2 * rng.standard_normal((pixels, pixels))
    down, right = (np.mgrid[:pixels, :pixels] - (pixels - 1) / 2) * field / pixels
    for one in galaxies:
        east = (one.ra - ra) * np.cos(np.radians(dec)) * 60
        north = (one.dec - dec) * 60
        x, y = -right - east, -down - north  # towards east and north
        angle = np.radians(one.pa)
        along, across = x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) - y * np.sin(angle)
        radius = np.hypot(along, across / one.axis_ratio) / (one.d25 / 2)
        light += 230 * np.exp(-0.5 * (radius / 0.35) ** 2)
    return light


class StandIn:
    """What the servers know, what they were asked, and which troubles wait for whom.

    `troubles` has a list of troubles by declination (deg, as in the request) or name: each request takes the first.
    """

    def __init__(self):
        self.galaxies = {}
        self.shapes = {}  # by name: diameter and position angle, as SIMBAD has them
        self.troubles = defaultdict(list)
        self.requests = []
        self.times = []
        self.lock = threading.Lock()
        self.server = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def pictures(self):
        """The requests for pictures."""
        return [one for one in self.requests if "ra=" in one]

    def picture(self, ra, dec, field, pixels):
        return paint(self.galaxies.values(), ra, dec, field, pixels)


class Server(ThreadingHTTPServer):
    """One that does not mind clients that hang up."""

    def handle_error(self, *_):
        pass


class Handler(BaseHTTPRequestHandler):
    """Answers as the servers do."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        sky = self.server.sky
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with sky.lock:
            sky.requests.append(unquote(self.path))
            sky.times.append(time.monotonic())
            key = query.get("dec") or unquote(url.query)
            waiting = sky.troubles.get(float(key) if "dec" in query else key)
            trouble = waiting.pop(0) if waiting else ""
        if trouble and not self.troubled(trouble):
            return
        answer = getattr(self, f"answer_{url.path.rstrip('/').rpartition('/')[2].replace('-', '_').lower()}", None)
        if answer is None:
            self.say(404, b"no such page", "text/plain")
        else:
            answer(sky, query, unquote(url.query), trouble)

    def troubled(self, trouble):
        """Answer with a trouble; True if the picture itself still is to come."""
        kind, _, value = trouble.partition(" ")
        if kind.isdigit():
            self.say(int(kind), b"busy", "text/plain", {"Retry-After": value} if value else {})
        elif kind == "empty":
            self.say(200, b"", "image/jpeg")
        elif kind == "text":
            self.say(200, b"Internal error: too many connections", "image/jpeg")
        elif kind == "slow":
            time.sleep(float(value))
            return True
        elif kind == "hang-up":
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"\xff\xd8")
        else:
            return True
        return False

    def say(self, status, body, kind, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def jpeg(self, light, trouble):
        content = io.BytesIO()
        image = np.clip(light, 0, 255).round().astype(np.uint8)
        picture = Image.fromarray(np.stack([image, image, image // 2], axis=-1))
        if trouble == "small":
            picture = picture.resize((50, 50))
        picture.save(content, "JPEG", quality=92)
        body = content.getvalue()
        self.say(200, body[: len(body) // 3] if trouble == "broken" else body, "image/jpeg")

    def fits(self, data, trouble, header=()):
        content = io.BytesIO()
        unit = fits.PrimaryHDU(None if data is None else np.flipud(data).astype(np.float32))
        unit.header.update(dict(header))
        unit.writeto(content)
        body = content.getvalue()
        self.say(200, body[:2000] if trouble == "broken" else body, "image/fits")

    def answer_getjpeg(self, sky, query, _, trouble):
        """SDSS: `scale` in arcsec/pixel; outside the footprint a black picture with a line of text."""
        ra, dec, scale, pixels = float(query["ra"]), float(query["dec"]), float(query["scale"]), int(query["width"])
        if dec < -80:
            self.say(404, b"Requested (ra, dec) is outside the SDSS footprint.", "text/plain")
            return
        light = sky.picture(ra, dec, scale * pixels / 60, pixels)
        if dec < -20:
            light = np.zeros_like(light)
            light[10:16, 10 : pixels // 2 : 2] = 255
        self.jpeg(light, trouble)

    def legacy(self, sky, query):
        ra, dec, scale = float(query["ra"]), float(query["dec"]), float(query["pixscale"])
        pixels = min(int(query["size"]), 512)
        return sky.picture(ra, dec, scale * pixels / 60, pixels)

    def answer_jpeg_cutout(self, sky, query, _, trouble):
        assert query["layer"] in ("sdss", "ls-dr10")
        light = self.legacy(sky, query)
        self.jpeg(np.full_like(light, 32) if float(query["dec"]) < -20 else light, trouble)

    def answer_fits_cutout(self, sky, query, _, trouble):
        assert query["layer"] in ("sdss", "ls-dr10") and len(query["bands"]) == 1
        outside = float(query["dec"]) < -20
        self.fits(None if outside else self.legacy(sky, query) / 100, trouble, {"OVERLAP": not outside})

    def answer_hips2fits(self, sky, query, _, trouble):
        """CDS: `fov` in degrees; zeros or white outside the footprint."""
        ra, dec, field, pixels = float(query["ra"]), float(query["dec"]), float(query["fov"]), int(query["width"])
        assert query["hips"].startswith("CDS/P/PanSTARRS/DR1/")
        light = sky.picture(ra, dec, 60 * field, pixels) * (dec > -30)
        if query["format"] == "fits":
            self.fits(light / 100, trouble)
        else:
            self.jpeg(light, trouble)

    def answer_snv(self, sky, _, name, trouble):
        """Sesame, as text: the position is in the line that begins with %J."""
        found = sky.galaxies.get(name)
        place = f"%J {found.ra:.6f} {found.dec:+.6f} = 09:22:02.6 +50:58:35\n" if found else "#! No object found\n"
        self.say(200, f"# {name}\t#Q1\n#=S=Simbad\n{place}\n".encode(), "text/plain")

    def answer_sync(self, sky, query, _, trouble):
        """SIMBAD's TAP service: a table as CSV."""
        name = query["query"].rpartition("= '")[2].rstrip("'").replace("''", "'")
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["galdim_majaxis", "galdim_angle"])
        if name in sky.shapes:
            writer.writerow(sky.shapes[name])
        self.say(200, text.getvalue().encode(), "text/csv")


@contextmanager
def running_stand_in():
    """Give a stand-in that answers on 127.0.0.1 until the block ends."""
    sky = StandIn()
    sky.server = Server(("127.0.0.1", 0), Handler)
    sky.server.sky = sky
    thread = threading.Thread(target=sky.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield sky
    finally:
        sky.server.shutdown()
        sky.server.server_close()
