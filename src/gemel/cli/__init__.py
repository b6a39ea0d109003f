"""The command line: `gemel COMMAND`; exit 0 done, 1 the answer is no, 2 bad input or usage, 3 a failed environment."""

from gemel.cli.main import main as main
