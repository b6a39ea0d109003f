"""The live loop: readings in, forecasts, proposals, actions and outcomes out."""

from gemel.loop.agents import Agent as Agent
from gemel.loop.live import Loop as Loop
from gemel.loop.live import live as live
