"""From a chosen architecture to a folder that can be handed over: engine, datasheet, report."""
