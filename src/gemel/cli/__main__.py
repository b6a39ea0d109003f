"""`python -m gemel.cli` is `gemel`."""

from gemel.cli.main import main

main()
