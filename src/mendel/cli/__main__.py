"""`python -m mendel.cli`: the same as the console script."""

from mendel.cli import main

main()
