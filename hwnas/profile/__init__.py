"""Any model's time on this machine: end to end, and by layer where the runtime tells it; engines side by side.

result.py      what was found: Profile, Profiles, as JSON, text and HTML       attribute.py  nodes' times to layers
candidates.py  the models and options of each engine, and why some are left out
measure.py     profile_model                                                   page.py       one HTML file
"""

from hwnas.callable_room import make_callable

make_callable(__name__, "hwnas.api.profiling:profile")  # so that `hwnas.profile(…)` is the command too
