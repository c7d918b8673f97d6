"""The phases after the pitch: a packet, what comes with it, and its gate.

| module | what it holds |
|---|---|
| `common` | what an attempt at any phase works with, and how it saves, opens a gate and lists its work |
| `context` | what the agents of phases 1 to 3 are told |
| `writing` | the model's part: parts, plans and revisions |
| `parts` | deliverables, each of which may fail by itself |
| `learned` | what the next run is to remember |
| `phase` | the steps, in order |
"""
