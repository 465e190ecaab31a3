"""`python -m crosstown.cli` is `crosstown`, also where the script isn't on the path."""

from crosstown.cli import main

main()
