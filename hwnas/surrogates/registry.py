"""The regression models by name; `auto` is a policy over them (`hwnas.surrogates.auto`). A new one is one line here."""

from __future__ import annotations

from hwnas.surrogates.base import Surrogate
from hwnas.surrogates.cart import Cart
from hwnas.surrogates.gp import GP
from hwnas.surrogates.mlp import MLP
from hwnas.surrogates.rbf import RBF
from hwnas.surrogates.xgb import XGB

MODELS: dict[str, type[Surrogate]] = {model.name: model for model in (GP, RBF, Cart, MLP, XGB)}
