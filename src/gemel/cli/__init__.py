"""The command line: `gemel COMMAND`; exit codes 0 done, 1 the answer is no, 2 bad input or usage, 3 the environment failed."""

from gemel.cli.main import main as main
