"""Any model's time on this machine: end to end, and by layer where the runtime tells it; engines side by side.

result.py      what was found: Profile, Profiles, as JSON, text and HTML       attribute.py  nodes' times to layers
candidates.py  the models and options of each engine, and why some are left out
measure.py     profile_model                                                   page.py       one HTML file
"""
