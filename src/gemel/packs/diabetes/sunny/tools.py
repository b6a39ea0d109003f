"""What may be asked of a person's twin in a conversation, beside the tools of any twin and of play."""

from __future__ import annotations

from gemel.bank.tools import Nothing, Tool
from gemel.packs.diabetes.sunny import eating, handing, looking, settings

TOOLS = (
    Tool("food", "Foods, grams and carbohydrate of a meal in words, each with a span of 90 %.", eating.Said, eating.food),
    Tool("log_food", "Write down carbohydrate that was eaten, in the asker's own name.", eating.Logged, eating.log_food,
         changes=True),
    Tool("suggest_food", "What to eat now that keeps glucose steady, each with the forecast behind it.", eating.Hungry,
         eating.suggest_food),
    Tool("week", "The last days one by one: mean, lowest, highest, percent in range.", looking.Days, looking.week),
    Tool("recent", "Carbohydrate and insulin of the last hours, insulin on board, the change of glucose.", looking.Lately,
         looking.recent),
    Tool("try_out", "What would come of carbohydrate, insulin or both; whether the guards would refuse the insulin. "
         "It advises nothing.", looking.Tried, looking.try_out),
    Tool("hand_over", "Tell the people of the care team, as their rules say, that a person is wanted.", handing.Wanted,
         handing.hand_over, changes=True),
    Tool("companion", "How Sunny is: unit, time zone, emergency number, whether words are kept or may leave.", Nothing,
         settings.read),
    Tool("set_companion", "Say how Sunny is to be; only who holds the keys may.", settings.Wanted, settings.change,
         changes=True, by_hand=True),
)  # fmt: skip
"""Tools of the companion, for anyone to ask."""
