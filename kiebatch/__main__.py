"""`python -m kiebatch` is the same program."""

from kiebatch.cli import main

main()
