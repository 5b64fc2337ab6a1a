"""The settings of the web page and its REST API."""

from pydantic import Field

from inclinet.records import Record

__all__ = ["Serve"]


class Serve(Record):
    """Where the server listens, and how much it takes."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        title="Host",
        description="Address to listen on; 0.0.0.0 answers other machines, too: give a token then.",
    )
    port: int = Field(8765, ge=0, le=65_535, title="Port", description="Port to listen on; 0 takes any that is free.")
    token: str = Field(
        "",
        pattern=r"^[\x21-\x7e]*$",
        title="Token",
        description="Secret that requests must name; without one, everybody who reaches the port may ask.",
    )
    max_upload: int = Field(
        32, ge=1, le=1024, title="Largest upload", description="MiB that one request may upload, all files together."
    )
    max_images: int = Field(
        200, ge=1, le=10_000, title="Images per request", description="Images that one request may upload."
    )
    max_pixels: int = Field(
        12, ge=1, le=64, title="Largest image", description="Megapixels of an image; each plane of a cube counts."
    )
    parallel: int = Field(
        0, ge=0, le=64, title="Parallel requests", description="Requests that compute at a time; 0: one per core."
    )
