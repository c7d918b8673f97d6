"""Measuring a running installation with jobs that do nothing: for `greenlight bench` and for the benchmark suite.

samples   percentiles
ground    projects of our own to measure on, removed afterwards
workload  send jobs, wait for them, ask what became of them
measures  what is measured: latency, chats, a burst, chats during a burst
history   the Dagster runs that measuring leaves behind
"""
