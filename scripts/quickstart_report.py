"""Compares a run in which a worker was killed with the same job undisturbed, and prints what the model has learnt.

Usage: quickstart_report.py OUTPUT UNDISTURBED KILL     KILL: what kill_in_the_middle.py printed
Exit status 8 when the two runs differ.
"""
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from statistics import median

import yaml

output, undisturbed, kill = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
EXACT = ("step", "loss", "validation_loss", "grad_norm", "lr", "tokens", "samples")


def phalanx(*arguments):
    return subprocess.run(["phalanx", *arguments], check=True, capture_output=True).stdout.decode(errors="replace")


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def steps_of(run):
    """The line that counts of each step: the last, of the highest generation."""
    return {entry["step"]: entry for entry in lines(run / "metrics.jsonl")}


def final_checkpoint(run):
    return max((run / "checkpoints").glob("step-*-attempt-*"))


def content(checkpoint):
    """Parameters and optimizer moments of all ranks: equal state gives equal files."""
    return {path.relative_to(checkpoint): path.read_bytes() for path in checkpoint.rglob("*.h5")}


def seconds_after_kill(event):
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp() - kill["time"]


steps, reference = steps_of(output), steps_of(undisturbed)
checkpoint = final_checkpoint(output)
same_steps = [[[run[step].get(key) for key in EXACT] for step in sorted(run)] for run in (steps, reference)]
same_state = content(checkpoint) == content(final_checkpoint(undisturbed))
equal = same_steps[0] == same_steps[1] and same_state

job = yaml.safe_load((output / "job.yaml").read_text())
baseline = json.loads(phalanx(
    "data", "baseline", "--train", job["data"]["train"][0]["path"], "--validation", job["data"]["validation"]["path"],
    "--sequence-length", str(job["model"]["sequence_length"]),
    "--sequences", str(job["data"]["validation"]["batches"] * job["train"]["global_batch"]), "--json"))
events = [event for event in lines(output / "events.jsonl") if event["generation"] > 0]
died = next(event for event in events if event["kind"] == "worker_died")
formed = next(event for event in events if event["kind"] == "generation_formed" and event["generation"] > 1)
restored = next(event for event in events if event["kind"] == "restored" and event["generation"] > 1)
last = max(steps)
rate = reference[last]["tokens"] / last / median(entry["seconds"] for entry in reference.values())

print(f"loss               {steps[1]['loss']:.4f} at step 1, {steps[last]['loss']:.4f} at step {last}")
print(f"validation loss    {steps[last]['validation_loss']:.4f}; byte models counted on the whole training file: unigram "
      f"{baseline['unigram']:.4f}, bigram {baseline['bigram']:.4f}, trigram {baseline['trigram']:.4f}")
print(f"speed              {rate:,.0f} tokens/s (median step of the undisturbed run)")
print(f"killed             rank {kill['rank']} (process {kill['pid']}) after step {formed['step']}: {died['reason']}")
print(f"noticed            {seconds_after_kill(died) * 1000:.0f} ms after the kill")
print(f"training again     {seconds_after_kill(restored) * 1000:.0f} ms after the kill, from: {formed['source']}; "
      f"{formed['steps_lost']} finished steps lost, the one in progress begun again")
print("undisturbed run    " + (f"equal, bit for bit: {len(reference)} steps' losses, and all parameters and optimizer "
                               "moments at the end" if equal else "DIFFERS" + (
                                   "" if same_state else " in the final state")))
print("\nA sample:\n")
prompt = "def forward(self, "
print(prompt + phalanx("generate", str(checkpoint), "--prompt", prompt, "--tokens", "200", "--temperature", "0.6"))
sys.exit(0 if equal else 8)
