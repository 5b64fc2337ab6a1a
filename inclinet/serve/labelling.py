"""The page on which people label galaxies, and its part of the REST API."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import FastAPI, Query, Response
from fastapi.responses import FileResponse
from pydantic import Field

from inclinet.errors import InclinetError
from inclinet.records import Record
from inclinet.serve.application import STATIC
from inclinet.serve.candidates import Candidate
from inclinet.serve.engine import Engine
from inclinet.serve.labels import REASONS, Label, LabelBook, Reason
from inclinet.serve.pictures import Picture, make_picture
from inclinet.serve.references import INCLINATIONS, KINDS, reference_file

__all__ = ["add_labelling"]

_SIDE = 640  # pixels
Person = Annotated[str, Query(min_length=1, max_length=40, description="Who judges.")]


class Task(Record):
    """A galaxy to judge. What the networks say is not told: it would lead people."""

    galaxy: str | None = Field(description="Its identifier; None when the person has judged all.")
    title: str
    picture: Picture | None
    label: Label | None = Field(description="What the person has said of it before.")
    done: int = Field(description="Galaxies that the person has judged.")
    total: int


class Guide(Record):
    """What people choose from."""

    reasons: dict[Reason, str] = Field(description="Reasons to reject a galaxy.")
    references: dict[str, list[tuple[int, str]]] = Field(
        description="Inclination and address of the reference discs, by kind."
    )


def add_labelling(app: FastAPI, engine: Engine, candidates: Mapping[str, Candidate], book: LabelBook) -> None:
    """Add the page and its calls.

    Parameters
    ----------
    app : FastAPI
    engine : Engine
    candidates : mapping of str to Candidate
        The galaxies by identifier, in the order in which people are asked.
    book : LabelBook
    """
    order = list(candidates)

    def task(galaxy: str | None, person: str) -> Task:
        done = {"done": book.done(person), "total": len(order)}
        if galaxy is None:
            return Task(galaxy=None, title="", picture=None, label=None, **done)
        found = candidates.get(galaxy)
        if found is None:
            raise InclinetError(f"there is no galaxy {galaxy!r} to label")
        picture = make_picture("", found.image.open().read(), side=_SIDE)
        return Task(
            galaxy=galaxy, title=found.galaxy.name, picture=picture, label=book.label_of(galaxy, person), **done
        )

    def next_of(person: str, after: str) -> str | None:
        start = order.index(after) + 1 if after in candidates else 0
        return next((one for one in order[start:] + order[:start] if book.label_of(one, person) is None), None)

    @app.get("/label", include_in_schema=False)
    async def show_label_page() -> FileResponse:
        return FileResponse(STATIC / "label.html")

    @app.get("/api/label/guide", tags=["labels"], summary="Reasons to reject a galaxy, and reference discs")
    async def show_guide() -> Guide:
        references = {
            kind: [(deg, f"static/reference/{reference_file(kind, deg)}") for deg in INCLINATIONS] for kind in KINDS
        }
        return Guide(reasons=REASONS, references=references)

    @app.get("/api/label/next", tags=["labels"])
    async def show_next(
        person: Person, after: Annotated[str, Query(max_length=200, description="Galaxy to go on from.")] = ""
    ) -> Task:
        """Return the most doubtful galaxy that a person has not judged yet."""
        return await engine.run(lambda: task(next_of(person, after), person))

    @app.get("/api/label/galaxy", tags=["labels"], summary="Return one galaxy again")
    async def show_galaxy(person: Person, galaxy: Annotated[str, Query(max_length=200)]) -> Task:
        return await engine.run(lambda: task(galaxy, person))

    @app.post("/api/label", tags=["labels"], summary="Judge a galaxy; a later label of the same person replaces it")
    async def add_label(label: Label) -> Label:
        await engine.run(lambda: book.add(label))
        return label

    @app.get("/api/label/catalogue", tags=["labels"], summary="The catalogue of all labels")
    async def show_catalogue() -> Response:
        name = {"Content-Disposition": 'attachment; filename="labels.csv"'}
        return Response(book.text(), media_type="text/csv", headers=name)
