"""The command `serve`."""

from pathlib import Path
from typing import Annotated

import typer

from inclinet.cli.app import StoreOption, Verbose, app, console, default, option, settings, track
from inclinet.cli.group import check_extra
from inclinet.serve.settings import Serve

__all__ = ["serve"]


@app.command()
def serve(
    store: StoreOption = None,
    version: Annotated[
        str | None,
        typer.Option("--version", help="Version to predict with; shipped: the one that comes with Inclinet."),
    ] = None,
    label: Annotated[
        Path | None, typer.Option("--label", help="Folder of images that people label, the most doubtful first.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Catalogue of their labels. Default: labels.csv in the folder of the images."),
    ] = None,
    host: Annotated[str, option(Serve, "host", "--host")] = default(Serve, "host"),
    port: Annotated[int, option(Serve, "port", "--port")] = default(Serve, "port"),
    token: Annotated[
        str, typer.Option("--token", envvar="INCLINET_TOKEN", help=Serve.model_fields["token"].description)
    ] = default(Serve, "token"),
    max_upload: Annotated[int, option(Serve, "max_upload", "--max_upload")] = default(Serve, "max_upload"),
    max_images: Annotated[int, option(Serve, "max_images", "--max_images")] = default(Serve, "max_images"),
    max_pixels: Annotated[int, option(Serve, "max_pixels", "--max_pixels")] = default(Serve, "max_pixels"),
    parallel: Annotated[int, option(Serve, "parallel", "--parallel")] = default(Serve, "parallel"),
    verbose: Verbose = False,
) -> None:
    """Open a web page that tells the inclination of the galaxies you drop on it.

    In: images, a catalogue, or the name or position of a galaxy, in a browser or by the REST API (described at /docs).

    Out: inclination, error bar, intervals, the answer of each network, flags in words, the picture with the measured
    ellipse; tables to download. Nothing that is uploaded is kept. It ends with Ctrl-C.

    With --label, people judge the galaxies of a folder beside discs of known inclination, at /label. Their labels
    become a catalogue that `inclinet full` and the flow inclinet/retrain take.

    Example: inclinet serve

    Example: inclinet serve --label galaxies/ -o labels.csv
    """
    check_extra("serve")
    what = settings(
        Serve,
        host=host,
        port=port,
        token=token,
        max_upload=max_upload,
        max_images=max_images,
        max_pixels=max_pixels,
        parallel=parallel,
    )
    # What these import takes a second.
    from inclinet.registry.choice import choose
    from inclinet.serve.server import address_of, listen, run_server
    from inclinet.serve.start import open_application

    choice = choose(store, version)
    with listen(what) as opened:
        application = open_application(choice, what, label, out, track)
        console.print(application.statement, style="" if choice.is_for_science else "yellow", soft_wrap=True)
        address = f"{address_of(opened)}{'/label' if label else '/'}{f'#token={token}' if token else ''}"
        run_server(application.app, opened, lambda: print(address, flush=True))
