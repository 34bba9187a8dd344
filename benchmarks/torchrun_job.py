"""One torchrun of peers/train.py, watched from outside by what its ranks print."""
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from jobs import ROOT

PEERS = ROOT / "benchmarks/peers"


def environment():
    """One thread per rank; a store of its own for every restart, without which restarts hang now and then."""
    return os.environ | {
        "PYTHONPATH": str(ROOT / ".deps/python"),
        "OMP_NUM_THREADS": "1",
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        "DS_ACCELERATOR": "cpu",
        "TORCHINDUCTOR_CACHE_DIR": str(ROOT / "build/benchmarks/inductor-cache"),
    }


def torchrun(ranks, *arguments):
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}",
            "--monitor-interval=0.1", *map(str, arguments)]


class TorchrunJob:
    """Started on entry, ended on exit. `began` is the time just before the exec of torchrun."""

    def __init__(self, model, ranks, steps, *flags, restarts=0):
        self._command = (model, ranks, steps, flags, restarts)

    def __enter__(self):
        model, ranks, steps, flags, restarts = self._command
        self._folder = tempfile.TemporaryDirectory(prefix="torchrun-benchmark-", dir=ROOT / "build")
        self._errors = open(Path(self._folder.name) / "errors", "w+")
        self._lines = queue.SimpleQueue()
        self.steps = []  # of rank 0: step, restart (how many came before it), seconds, loss; "seen" as in PhalanxJob
        self.pids = {}  # (restart, rank) -> pid
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            torchrun(ranks, f"--max-restarts={restarts}", PEERS / "train.py", f"--model={model}", f"--steps={steps}",
                     f"--folder={self._folder.name}", *flags),
            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._errors.close()
        self._folder.cleanup()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put((time.monotonic(), line.split()))
        self._lines.put(None)

    def wait_for(self, condition, limit=600):
        """The first true value of `condition()`, asked whenever a rank has printed something."""
        end = time.monotonic() + limit
        while not (value := condition()):
            try:
                item = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                item = None
            if item is None:
                self._errors.seek(0)
                raise RuntimeError(f"torchrun: expected more steps, found {len(self.steps)}:\n{self._errors.read()[-3000:]}")
            self._take(*item)
        return value

    def _take(self, seen, words):
        if words[:1] == ["STEP"]:
            self.steps.append({"step": int(words[1]), "restart": int(words[2]), "seconds": float(words[3]),
                               "loss": float(words[4]), "seen": seen})
        elif words[:1] == ["RANK"]:
            self.pids[int(words[2]), int(words[1])] = int(words[3])
