"""The queues whose answers are known exactly; the simulator has to give the same ones.

Rates are per second, times in seconds. `load` is the offered load in Erlang: arrivals times service time.
"""

from __future__ import annotations

import math


def erlang_b(servers: int, load: float) -> float:
    """Return the share of arrivals that an M/M/c/c system without a queue turns away (Erlang 1917)."""
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Return the share of arrivals that wait in an M/M/c queue; 1 where it cannot keep up (Erlang 1917)."""
    if load >= servers:
        return 1.0
    blocked = erlang_b(servers, load)
    return servers * blocked / (servers - load * (1.0 - blocked))


def mean_wait(servers: int, arrivals: float, service: float) -> float:
    """Return the mean wait in an M/M/c queue; infinite where it cannot keep up."""
    load = arrivals * service
    if load >= servers:
        return math.inf
    return erlang_c(servers, load) * service / (servers - load)


def wait_quantile(servers: int, arrivals: float, service: float, share: float) -> float:
    """Return the wait that `share` (0 to 1) of an M/M/c queue's arrivals do not exceed."""
    load = arrivals * service
    if load >= servers:
        return math.inf
    waits = erlang_c(servers, load)
    if waits <= 1.0 - share:
        return 0.0
    return math.log(waits / (1.0 - share)) * service / (servers - load)


def mean_wait_general(arrivals: float, service: float, variation: float) -> float:
    """Return the mean wait in an M/G/1 queue (Pollaczek 1930, Khinchin 1932).

    `variation` is the standard deviation of the service time divided by its mean.
    """
    load = arrivals * service
    if load >= 1.0:
        return math.inf
    return load * service * (1.0 + variation**2) / (2.0 * (1.0 - load))


def servers_for(arrivals: float, service: float, wait: float, share: float) -> int:
    """Return the fewest servers with which `share` of the arrivals wait no longer than `wait`."""
    servers = max(1, math.ceil(arrivals * service))
    while wait_quantile(servers, arrivals, service, share) > wait:
        servers += 1
    return servers
