"""The report of runs while they are searched: `hwnas watch`.

    source     what a run's folder holds now, read from a copy, so that another machine may write it
    standing   how far it is, how fast, when it ends, what failed
    server     the page on the loopback, for this machine's own browser only

Nothing here writes into a run. The page is that of `hwnas.report`.
"""
