"""What words mean, near or far from each other, on this machine alone: shared by packs, no pack of its own."""

from gemel.packs.language.memory import kept as kept
from gemel.packs.language.memory import remembered as remembered
from gemel.packs.language.shared_words import overlap as overlap
from gemel.packs.language.small_model import minilm as minilm
from gemel.packs.language.vectors import Meaning as Meaning
from gemel.packs.language.vectors import meaning as meaning
from gemel.packs.language.vectors import nearest as nearest
