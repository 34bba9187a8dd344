"""One `phalanx run`, watched from outside by its metrics.jsonl."""
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from jobs import ROOT, write_job

PHALANX = ROOT / "build/bin/phalanx"
POLL_SECONDS = 0.002


class PhalanxJob:
    """Started on entry, ended on exit. `began` is the time just before the exec of `phalanx run`."""

    def __init__(self, model, ranks, steps, checkpoint_every=0, **more):
        self._arguments = (model, ranks, steps, checkpoint_every), more  # of write_job

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="phalanx-benchmark-", dir=ROOT / "build")
        folder = Path(self._folder.name)
        positional, more = self._arguments
        job = write_job(folder, *positional, **more)
        self.output = folder / "output"
        self._errors = open(folder / "errors", "w+")
        self._read = 0
        self._torn = ""
        self.steps = []  # a line of metrics.jsonl each, with "seen", the time at which it was there
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            [PHALANX, "run", job], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors)
        return self

    def __exit__(self, *_):
        for sent in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(sent)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                pass
        self._errors.close()
        self._folder.cleanup()

    def poll(self):
        try:
            with open(self.output / "metrics.jsonl") as file:
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            return
        now = time.monotonic()
        self._read += len(new)
        *lines, self._torn = (self._torn + new).split("\n")
        self.steps += [json.loads(line) | {"seen": now} for line in lines]

    def wait_for(self, condition, limit=300):
        """The first true value of `condition()`, asked whenever there may be new lines."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            self.poll()
            if value := condition():
                return value
            if self._process.poll() is not None:
                self.poll()
                if value := condition():
                    return value
                break
            time.sleep(POLL_SECONDS)
        self._errors.seek(0)
        raise RuntimeError(f"phalanx run: expected more steps, found {len(self.steps)}:\n{self._errors.read()[-3000:]}")

    def wait_for_end(self):
        if self._process.wait(300) != 0:
            self._errors.seek(0)
            raise RuntimeError(f"phalanx run: exit status {self._process.returncode}:\n{self._errors.read()[-3000:]}")

    def worker_pids(self):
        """By rank."""
        answer = subprocess.run([PHALANX, "status", self.output, "--json"], check=True, capture_output=True, text=True)
        workers = json.loads(answer.stdout)["workers"]
        return [worker["pid"] for worker in sorted(workers, key=lambda worker: worker["rank"])]

    def events(self, kind):
        lines = (self.output / "events.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] == kind]


def kill(pid):
    """SIGKILL; returns when."""
    now = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return now
