"""Packets: their schemas, versions and how they read."""
