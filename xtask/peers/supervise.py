"""Waits for the processes of a peer so that one that hangs ends with a message. Needs nothing but Python."""
import faulthandler
import os
import signal
import sys
import time

# Seconds that a process has to write its stack.
TELLING = 2


def tell_stack():
    """In a process: writes where it is to stderr when `wait` asks, even if it waits for Python's lock."""
    faulthandler.register(signal.SIGUSR1)


def wait(processes, seconds, ending=30):
    """Waits for all processes of `multiprocessing`, at most `seconds`, and once one of them has ended at most `ending` for the others. Where some have not
    ended, or one has failed, this program ends with a message that names the rank."""
    end = time.monotonic() + seconds
    while running := [process for process in processes if process.is_alive()]:
        if len(running) < len(processes):
            end = min(end, time.monotonic() + ending)
        if time.monotonic() >= end:
            ranks = ", ".join(str(processes.index(process)) for process in running)
            print(f"rank {ranks} of {len(processes)} did not end; where it is:", file=sys.stderr, flush=True)
            for process in running:
                os.kill(process.pid, signal.SIGUSR1)
            time.sleep(TELLING)
            for process in running:
                process.kill()
            raise SystemExit(f"rank {ranks} of {len(processes)} did not end and was killed")
        running[0].join(0.1)
    if failed := [rank for rank, process in enumerate(processes) if process.exitcode]:
        raise SystemExit(f"rank {failed[0]} of {len(processes)} exited with {processes[failed[0]].exitcode}")
