"""Waits until a run has done half of its steps, kills one of its workers with SIGKILL, and prints who it was and when
(JSON: rank, pid, time in seconds since 1970).

Usage: kill_in_the_middle.py OUTPUT PID_OF_THE_RUN
"""
import json
import os
import signal
import subprocess
import sys
import time

output, run = sys.argv[1], int(sys.argv[2])


def newest_step():
    try:
        with open(f"{output}/metrics.jsonl") as lines:
            return max((json.loads(line)["step"] for line in lines if line.endswith("\n")), default=0)
    except FileNotFoundError:
        return 0


def alive():
    try:
        os.kill(run, 0)
        return open(f"/proc/{run}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


steps = None
while alive():
    if steps is None:
        answer = subprocess.run(["phalanx", "status", output, "--json"], capture_output=True, text=True)
        status = json.loads(answer.stdout) if answer.returncode == 0 else {}
        steps = status.get("steps")
    elif newest_step() >= steps // 2:
        answer = subprocess.run(["phalanx", "status", output, "--json"], capture_output=True, text=True)
        worker = json.loads(answer.stdout)["workers"][-1]
        now = time.time()
        os.kill(worker["pid"], signal.SIGKILL)
        print(json.dumps({"rank": worker["rank"], "pid": worker["pid"], "time": now}))
        sys.exit(0)
    time.sleep(0.02)
sys.exit("error: the run ended before half of its steps were done; its output says why")
