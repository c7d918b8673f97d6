"""Dagster resources over real systems."""
