"""In-silico experiments: compare futures, backtest forecasts."""

from gemel.experiment.backtest import backtest as backtest
from gemel.experiment.compare import Comparison as Comparison
from gemel.experiment.compare import compare as compare
from gemel.experiment.compare import scenario_forks as scenario_forks
