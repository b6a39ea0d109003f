"""What a food is like on a plate, guessed from its name, where a table does not say."""

from __future__ import annotations

import re

KIND_WORDS = {
    "sauce": "sauce gravy dressing ketchup catsup mayonnaise salsa",
    "soup": "soup broth chowder",
    "drink": "juice milk beverage drink tea coffee cola water smoothie soda lemonade",
    "spread": "jam honey butter margarine syrup spread jelly sugar oil",
    "cereal": "cereal granola muesli",
    "baked": "cake cookie biscuit muffin doughnut pie pastry croissant pancake waffle brownie",
    "bread": "bread toast roll bagel tortilla bun pita naan",
    "dish": "pizza sandwich burger hamburger lasagna burrito taco sushi curry stew casserole",
    "grain": "rice pasta noodle noodles spaghetti macaroni oatmeal porridge couscous quinoa barley",
    "cheese": "cheese",
    "dairy": "yogurt yoghurt custard pudding",
    "egg": "egg eggs",
    "snack": "chips crisps cracker crackers popcorn pretzels",
    "sweet": "candy candies chocolate ice-cream sherbet marshmallow",
    "nut": "nuts almonds peanuts cashews walnuts seeds",
    "meat": "beef pork chicken turkey lamb fish salmon tuna ham sausage bacon shrimp veal",
    "legume": "beans lentils chickpeas tofu hummus",
    "fruit": "apple apples banana bananas orange oranges pear grapes strawberries blueberries melon mango peach fruit berries",
    "vegetable": "potato potatoes carrot carrots broccoli peas corn tomato tomatoes lettuce spinach onion vegetables",
}
"""Words that tell, in the order in which they are looked for: in the first words of a name before in the others."""


def kind_of(name: str) -> str:
    """Return one of KINDS for a name, or `other`."""
    segments = [re.findall(r"[a-z]+", part) for part in name.lower().split(",")]
    for words in (segments[0], [word for part in segments for word in part]):
        for kind, telling in KIND_WORDS.items():
            if set(words) & set(telling.split()):
                return kind
    return "other"
