"""The warm run launcher: each run gets a process of its own that has been forked ahead of time.

Four kinds of process, each in its module:

- *clients* (`run_launcher`, `client`): daemon, web server, command line. They start the server where none is.
- the *server* (`server`): one per Dagster instance; hands runs to idle workers, knows which process has which
  run, and sees every process end. It imports nothing of Dagster, so it is small and starts at once.
- the *template* (`template`): has imported a code location's definitions and does nothing but fork.
- the *workers* (`worker`): forked, connected to the databases, waiting; each carries out one run and ends.

What must survive the death of any of them lies in small files, one set per run (`records`).
"""
