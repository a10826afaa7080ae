"""`python -m kiebatch` is the same program."""

from kiebatch.cli.app import main

main()
