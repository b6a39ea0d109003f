"""Food: tables, words taken apart into foods and grams, habits, suggestions. No pack with a twin of its own yet."""

from gemel.packs.food.absorption import Absorption as Absorption
from gemel.packs.food.absorption import expected as expected
from gemel.packs.food.absorption import learn as learn
from gemel.packs.food.afcd import afcd as afcd
from gemel.packs.food.everyday import everyday as everyday
from gemel.packs.food.habits import Eaten as Eaten
from gemel.packs.food.habits import Favourite as Favourite
from gemel.packs.food.habits import favourites as favourites
from gemel.packs.food.meal import Amount as Amount
from gemel.packs.food.meal import Item as Item
from gemel.packs.food.meal import Meal as Meal
from gemel.packs.food.parse import parse as parse
from gemel.packs.food.search import Hit as Hit
from gemel.packs.food.search import Search as Search
from gemel.packs.food.suggest import Suggestion as Suggestion
from gemel.packs.food.suggest import Taste as Taste
from gemel.packs.food.suggest import candidates as candidates
from gemel.packs.food.suggest import suggest as suggest
from gemel.packs.food.table import Food as Food
from gemel.packs.food.table import Table as Table
from gemel.packs.food.usda import usda as usda
