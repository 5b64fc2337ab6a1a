"""The web application: the page, the REST API, `/health` and `/metrics`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from inclinet.cutouts.surveys import SURVEYS
from inclinet.errors import InclinetError
from inclinet.prediction.remote import fetch_source
from inclinet.records import Record
from inclinet.serve.answers import Answers, Cell, Version
from inclinet.serve.engine import BusyError, Engine
from inclinet.serve.fetching import POLITE, fetch_images, read_targets
from inclinet.serve.guard import Guard
from inclinet.serve.metrics import Metrics
from inclinet.serve.reference_page import reference_page
from inclinet.serve.settings import Serve
from inclinet.serve.sources import find_uploaded
from inclinet.serve.tables import MEDIA_TYPES, Format, table_file
from inclinet.serve.uploads import read_form

__all__ = ["STATIC", "make_application"]

STATIC = Path(__file__).parent / "static"
"""Pages, scripts and styles."""

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (names them, does not bind to them)
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "Images (FITS, JPEG, PNG, TIFF, WebP, BMP, GIF, JPEG 2000); with them, or "
                            "alone, a catalogue as text: CSV, or columns split by tabs or |.",
                        },
                        "pictures": {
                            "type": "boolean",
                            "default": False,
                            "description": "Whether the answers hold pictures with the measured ellipse.",
                        },
                        "fetch": {
                            "type": "boolean",
                            "default": False,
                            "description": "Fetch the images of a catalogue that comes alone from an image server.",
                        },
                    },
                }
            }
        },
    }
}
Survey = Annotated[str, Query(pattern=r"^[a-z0-9-]*$", description=f"Survey: {', '.join(SURVEYS)}; sdss by default.")]
_FORMATS = f"Format of the table: {', '.join(MEDIA_TYPES)}."
Pictures = Annotated[bool, Query(description="Whether the answer holds the picture with the measured ellipse.")]


class Rows(Record, defer_build=False):  # else FastAPI warns of its own alias
    """Answers to write as a table."""

    rows: list[dict[str, Cell]] = Field(max_length=20_000, description="The `row` of each answer.")


class Health(Record):
    """Whether the server works."""

    status: str
    version: str


def make_application(
    engine: Engine, settings: Serve, metrics: Metrics, add_routes: Callable[[FastAPI], None] | None = None
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    engine : Engine
    settings : Serve
    metrics : Metrics
    add_routes : callable, optional
        Adds further pages.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        engine.close()

    app = FastAPI(
        title="Inclinet",
        version=engine.version.inclinet,
        summary="Inclinations of spiral galaxies from their images.",
        docs_url=None,  # FastAPI's own pages fetch their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_pages(app, engine.version, metrics)
    _add_predictions(app, engine, settings)
    if add_routes:
        add_routes(app)
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    app.add_exception_handler(InclinetError, _explain)
    app.add_exception_handler(BusyError, _explain_busy)
    paths = {route.path for route in app.routes if hasattr(route, "path")}
    app.add_middleware(Guard, settings=settings, metrics=metrics, paths=paths)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_allowed_hosts(settings.host))
    return app


def _allowed_hosts(host: str) -> list[str]:
    """Return what a request may call the server: pages elsewhere must not reach it under a name of their own."""
    return ["*"] if host in _EVERYWHERE else [host, "127.0.0.1", "localhost", "[::1]"]


async def _explain(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)


async def _explain_busy(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "too many requests wait already; try again soon"}, 503, {"Retry-After": "5"})


def _add_pages(app: FastAPI, version: Version, metrics: Metrics) -> None:
    @app.get("/", include_in_schema=False)
    async def show_page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def show_reference(request: Request) -> Response:
        return Response(reference_page(app.openapi(), str(request.base_url)), media_type="text/html")

    @app.get("/health", tags=["server"], summary="Whether the server works")
    async def check_health() -> Health:
        return Health(status="ok", version=version.version)

    @app.get("/metrics", tags=["server"], summary="Counters, in the text format of Prometheus")
    async def show_metrics() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/api/version", tags=["predictions"], summary="The version that answers, and how far to trust it")
    async def show_version() -> Version:
        return version


def _add_predictions(app: FastAPI, engine: Engine, settings: Serve) -> None:
    refused: dict[str, Any] = {"responses": {422: {"description": "No answer; `detail` says why."}}}

    @app.post("/api/predict", tags=["predictions"], openapi_extra=_FORM, **refused)
    async def predict(request: Request) -> Answers:
        """Predict the galaxies in some images, or in the rows of a catalogue."""
        uploads, fields = await read_form(request, settings)
        pictures = fields.get("pictures", "").lower() == "true"
        if fields.get("fetch", "").lower() == "true" and [one.is_catalogue for one in uploads] == [True]:
            targets = await engine.run(lambda: read_targets(uploads[0]))
            sources = await engine.fetch(lambda: fetch_images(targets))
            return await engine.run(lambda: engine.answer(sources, pictures=pictures))
        most = settings.max_pixels * 1_000_000
        return await engine.run(lambda: engine.answer(find_uploaded(uploads, most), pictures=pictures))

    @app.get("/api/galaxy", tags=["predictions"], **refused)
    async def predict_galaxy(
        name: Annotated[
            str, Query(min_length=1, max_length=80, description="Name, or position: NGC 2841 or 140.51,50.98.")
        ],
        size: Annotated[str, Query(max_length=20, description="Diameter D25, such as 8.1arcmin.")] = "",
        survey: Survey = "",
        pictures: Pictures = False,
    ) -> Answers:
        """Fetch the image of a galaxy from an image server, and predict it."""
        source = await engine.fetch(lambda: fetch_source(name, size=size, survey=survey, what=POLITE))
        return await engine.run(lambda: engine.answer([source], pictures=pictures))

    @app.post("/api/table", tags=["predictions"], response_class=Response, summary="Write answers as a table")
    async def write_answers(rows: Rows, format: Annotated[Format, Query(description=_FORMATS)] = "csv") -> Response:
        content = await engine.run(lambda: table_file(rows.rows, format, engine.version))
        name = {"Content-Disposition": f'attachment; filename="inclinations.{format}"'}
        return Response(content, media_type=MEDIA_TYPES[format], headers=name)
