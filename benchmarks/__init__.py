"""Benchmarks: each compares two ways of doing the same thing in one run, so that the machine cancels out."""
