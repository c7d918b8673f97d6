"""Jobs that are good for being launched: they wait, print, die, or say in which process they were."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import dagster as dg


class Where(dg.Config):
    """A folder in which the op leaves a file per thing that happened."""

    folder: str


def note(folder: str, name: str, text: str = "") -> None:
    partial = Path(folder) / f"{name}.partial"
    partial.write_text(text)
    partial.rename(Path(folder) / name)


@dg.op
def wait_op(context: dg.OpExecutionContext, config: Where) -> None:
    """Wait until a file `go` appears."""
    note(config.folder, f"began-{context.run_id}", str(os.getpid()))
    try:
        while not Path(config.folder, "go").exists():
            time.sleep(0.02)
    except dg.DagsterExecutionInterruptedError:
        note(config.folder, f"interrupted-{context.run_id}")
        raise
    note(config.folder, f"ended-{context.run_id}")


@dg.op
def deaf_op(context: dg.OpExecutionContext, config: Where) -> None:
    """Swallow every interrupt; a child of its own goes on as well."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    note(config.folder, f"child-{context.run_id}", str(child.pid))
    note(config.folder, f"began-{context.run_id}", str(os.getpid()))
    while True:
        try:
            time.sleep(600)
        except dg.DagsterExecutionInterruptedError:
            note(config.folder, f"interrupted-{context.run_id}")


@dg.op
def chat_op(context: dg.OpExecutionContext, config: Where) -> None:
    """Write a line into the log every few milliseconds, until a file `go` appears."""
    number = 0
    while not Path(config.folder, "go").exists():
        number += 1
        context.log.info(f"line {number}")
        if number == 1:
            note(config.folder, f"began-{context.run_id}", str(os.getpid()))
        time.sleep(0.01)
    context.log.info(f"{number} lines")


@dg.op
def print_op() -> None:
    """Print by Python, by the descriptor, and by a child."""
    print("by Python")
    print("as an error", file=sys.stderr)
    os.write(1, b"by descriptor\n")
    subprocess.run([sys.executable, "-c", "print('by a child')"], check=True)


@dg.op
def threads_op(context: dg.OpExecutionContext) -> None:
    """Say what of the process is this run's own."""
    context.log.info(f"threads {threading.active_count()} parent {os.getppid()} session {os.getsid(0)}")


@dg.job(executor_def=dg.in_process_executor)
def waiting_job() -> None:
    wait_op()


@dg.job(executor_def=dg.in_process_executor)
def deaf_job() -> None:
    deaf_op()


@dg.job(executor_def=dg.in_process_executor)
def chatting_job() -> None:
    chat_op()


@dg.job(executor_def=dg.in_process_executor)
def printing_job() -> None:
    print_op()


@dg.job(executor_def=dg.in_process_executor)
def quick_job() -> None:
    threads_op()


defs = dg.Definitions(jobs=[waiting_job, deaf_job, chatting_job, printing_job, quick_job])
