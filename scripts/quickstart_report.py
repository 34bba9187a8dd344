"""Compares a run in which a worker was killed with the same job undisturbed, and prints what the model has learnt.

Usage: quickstart_report.py OUTPUT UNDISTURBED WHO_WAS_KILLED     exit status 8 when the two differ
"""
import json
import subprocess
import sys
from pathlib import Path

output, undisturbed, killed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]


def phalanx(*arguments):
    return subprocess.run(["phalanx", *arguments], check=True, capture_output=True, text=True).stdout


def steps_of(run):
    """The line that counts of each step: the one of the highest generation."""
    lines = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        lines[entry["step"]] = entry
    return lines


def final_state(run):
    newest = max((run / "checkpoints").glob("step-*-attempt-*"))
    regions = json.loads(phalanx("ckpt", "inspect", str(newest), "--json"))
    return newest, sorted(
        (r["kind"], r["tensor"], tuple(r["offset"]), tuple(r["extent"]), r["checksum"])
        for shard in regions["shards"] for r in shard["regions"])


def exact(entry):
    return [entry[key] for key in ("step", "loss", "validation_loss", "grad_norm", "tokens", "samples") if key in entry]


steps, reference = steps_of(output), steps_of(undisturbed)
differing = [step for step in reference if step not in steps or exact(steps[step]) != exact(reference[step])]
checkpoint, state = final_state(output)
_, reference_state = final_state(undisturbed)

summary = json.loads((output / "summary.json").read_text())
job = json.loads(phalanx("ckpt", "inspect", str(checkpoint), "--json"))["job"]
last = max(steps)
baseline = json.loads(phalanx(
    "data", "baseline", "--train", job["data"]["train"][0]["path"], "--validation", job["data"]["validation"]["path"],
    "--sequence-length", str(job["model"]["sequence_length"]),
    "--sequences", str(job["data"]["validation"]["batches"] * job["train"]["global_batch"]), "--json"))
quiet = [entry["seconds"] for entry in reference.values()]
tokens_per_step = reference[last]["tokens"] / last

print(f"loss                {steps[1]['loss']:.4f} at step 1, {steps[last]['loss']:.4f} at step {last}")
print(f"validation loss     {steps[last]['validation_loss']:.4f}    of byte models counted on the whole training file: "
      f"unigram {baseline['unigram']:.4f}, bigram {baseline['bigram']:.4f}, trigram {baseline['trigram']:.4f}")
print(f"tokens/s            {tokens_per_step / sorted(quiet)[len(quiet) // 2]:.0f} (median step of the undisturbed run)")
for recovery in summary["recoveries"]:
    print(f"killed              {killed}: {recovery['cause']}")
    print(f"noticed after       {recovery['noticed_seconds'] * 1000:.1f} ms")
    print(f"training again      {recovery['resumed_seconds'] * 1000:.0f} ms after that, from: {recovery['rung']}; "
          f"steps repeated: {recovery['steps_lost']}")
equal = not differing and state == reference_state
print("undisturbed run     " + (
    f"equal, bit for bit: {len(reference)} losses, and every parameter and moment of the final state" if equal else
    f"DIFFERS: steps {differing[:5]}, final state {'equal' if state == reference_state else 'differs'}"))
print("\nA sample (temperature 0.8):\n")
print(phalanx("generate", str(checkpoint), "--prompt", "def forward(self, ", "--tokens", "200",
              "--temperature", "0.8"))
sys.exit(0 if equal else 8)
