"""What `hwnas profile` gives: facts that print themselves, in a terminal and in a notebook."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.profile.facts import Facts, Several
from hwnas.profile.page import fragment
from hwnas.profile.text import profile_text, text


@dataclass(frozen=True)
class Profile(Facts):
    """One model on one runtime in one precision; see `Facts` for its fields."""

    def __str__(self) -> str:
        return profile_text(self)

    def _repr_html_(self) -> str:
        return fragment(Several((self,)))


@dataclass(frozen=True)
class Profiles(Several[Profile]):
    """A model on several engines, the fastest first: a sequence of `Profile`, and what was `refused`."""

    def __str__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str:
        return fragment(self)
