"""An objective: energy as so much a multiply-add and so much a layer, added up over the layers."""

from hwnas.search.own_objectives import OwnObjective

PICOJOULE_A_MADD, MICROJOULE_A_LAYER = 4.6, 0.05
energy_uj = OwnObjective(
    "energy_uj", layers=lambda layer: 1e-6 * PICOJOULE_A_MADD * layer.madds + MICROJOULE_A_LAYER, unit="µJ"
)
