"""The table: its entries, its file, what it predicts and with which interval, and how it is shown.

Nothing here measures or estimates; a table is the same whoever made it.
"""
