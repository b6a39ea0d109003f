"""The live loop: readings in, forecasts, proposals, actions and outcomes out."""

from gemel.loop.agents import Agent as Agent
from gemel.loop.agents import Weighed as Weighed
from gemel.loop.clock import SpeedClock as SpeedClock
from gemel.loop.demo import Demo as Demo
from gemel.loop.demo import Room as Room
from gemel.loop.live import Loop as Loop
from gemel.loop.live import live as live
from gemel.loop.outbox import Outbox as Outbox
