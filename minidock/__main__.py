"""`python -m minidock` is the command `minidock`."""

from minidock.cli.main import main

main()
