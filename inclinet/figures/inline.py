"""Files within pages, for pages that come without a folder."""

import base64

__all__ = ["data_address"]


def data_address(content: bytes, kind: str) -> str:
    """Return the content of an image file as an address that holds it; `kind` is its media subtype, `png` or `jpeg`."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
