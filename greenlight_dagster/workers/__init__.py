"""Runs on several machines: Celery carries them to workers, which are forked from a process that has loaded the code.

`dagster.celery.yaml` names the launcher, `greenlight worker` starts the workers of a machine.

queues        which queue of the broker a lane is, and how a broker is talked to
run_launcher  the launcher as Dagster sees it: hands a run to its lane's queue
app           the Celery application of a worker, and its one task
carrying      what the task does: takes the run, carries it out, says how it ended
interrupts    a cancel on its way to the process that has the run
node          the Celery worker of one lane
pool          its processes, of which it sees at once that one has ended
host          the workers of one machine: forks them, restarts them, drains them
reporter      tells the database that they live, and of runs whose process was lost

Nothing here distributes work: the queue is `agent_jobs`, the way is Celery's, and what makes a second delivery
harmless is a row of `run_takes`.
"""
