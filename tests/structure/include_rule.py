"""Proves the include rule: a folder includes only itself and the folders below, and nothing above the Torch line
includes Torch. Usage: include_rule.py REPOSITORY"""
import re
import sys
from pathlib import Path

ALLOWED = {
    "base": "", "config": "base", "protocol": "base", "layout": "base config", "comm": "base protocol",
    "data": "base config", "checkpoint": "base config protocol layout comm", "planner": "base config layout",
    "launcher": "base config protocol layout comm data checkpoint planner",
    "kernels": "base", "parallel": "base config layout comm kernels", "model": "base config layout kernels parallel",
    "runtime": "base config protocol layout comm data checkpoint kernels parallel model",
}
BELOW_THE_LINE = {"kernels", "parallel", "model", "runtime"}

root = Path(sys.argv[1])
problems, seen = [], 0
for folder, allowed in ALLOWED.items():
    for path in sorted((root / folder).rglob("*")):
        if path.suffix not in {".h", ".cc", ".cu", ".cuh", ".proto"}:
            continue
        seen += 1
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*(?:#include|import)\s+["<]([^">]+)[">]', line)
            if not found:
                continue
            target = found.group(1).split("/")[0]
            where = f"{path.relative_to(root)}:{number}"
            if target in ALLOWED and target != folder and target not in allowed.split():
                problems.append(f"{where}: {folder} may include {allowed or 'nothing'}, found {target}")
            if target in {"ATen", "torch", "c10"} and folder not in BELOW_THE_LINE:
                problems.append(f"{where}: nothing above the Torch line includes {found.group(1)}")
print("\n".join(problems) or f"{seen} files keep the include rule")
sys.exit(1 if problems or seen < 50 else 0)
