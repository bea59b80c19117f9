"""Stands in for pydantic.json_schema: what hwnas derives from."""


class GenerateJsonSchema:
    """Of no use here."""
