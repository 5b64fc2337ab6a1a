"""Run the command line: `python -m inclinet`."""

from inclinet.cli.main import main

main()
