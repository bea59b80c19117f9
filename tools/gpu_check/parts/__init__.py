"""The parts of the check, a file each, the most telling first."""

from __future__ import annotations

from tools.gpu_check.parts import card, data_sheet, few_networks, gpu_tests, modes, other_runtimes, shipping, table
from tools.gpu_check.running import Part

PARTS = (
    Part("card", "Card and clocks", 1, card.run),
    Part("tests", "pytest -m gpu", 3, gpu_tests.run),
    Part("table", "Table in context, verified", 8, table.run),
    Part("networks", "A table from a few networks, against others", 4, few_networks.run),
    Part("datasheet", "The data sheet's estimate against measured ranks", 1, data_sheet.run),
    Part("modes", "Precisions and modes", 5, modes.run),
    Part("engines", "Engines exported and validated", 7, shipping.run),
    Part("others", "Other runtimes", 3, other_runtimes.run),
)
