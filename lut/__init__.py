"""Latency tables: layer key to milliseconds, with uncertainty, fingerprint and provenance."""
