#!/usr/bin/env python3
"""Measures attograd beside PyTorch, PyTorch Geometric and DGL and says which goals are met.

Both sides run in processes of their own that stay alive and take turns, so that what else happens on the machine meets both.
Before anything is timed both compute the same numbers from the same weights, and must agree."""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from goals import GOALS, cells, markdown, verdict

HERE = pathlib.Path(__file__).resolve().parent
STEPS = 5          # training steps whose losses are compared
TOLERANCE = 1e-3   # of that comparison, relative


class Side:
    """A process that runs a workload as often as it is told. `broken` says why it stopped, if it did."""

    def __init__(self, command):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.times, self.broken = [], None
        self.memory = None
        self.ready = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        code = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().strip().splitlines()
        self.broken = said[-1] if said else f"ended with code {code}" + (" (out of memory?)" if code == -9 else "")
        return {}

    def ask(self, count):
        """Runs `count` repetitions; their times in ms, none when the process is gone."""
        if self.broken:
            return []
        try:
            print(count, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        return self.read().get("ms", [])

    def quit(self):
        if not self.broken:
            print("quit", file=self.process.stdin, flush=True)
            last = self.read()
            if last:
                self.memory = last["peak_bytes"] - last["start_bytes"]
                self.process.wait()

    def median(self):
        return statistics.median(self.times) if self.times else None

    def minimum(self):
        return min(self.times, default=None)


def take_turns(sides, options):
    """Rounds in which each side in turn runs for about `options.seconds`. The first, which is not kept, says how often that is."""
    counts = []
    for side in sides:
        first = side.ask(1)
        again = side.ask(1) if first and first[0] < 5000 else first
        counts.append(max(1, min(2000, int(options.seconds * 1000 / again[0]))) if again else 0)
    for number in range(options.rounds):
        turn = list(zip(sides, counts))
        for side, count in turn if number % 2 == 0 else reversed(turn):
            side.times += side.ask(count)
    for side in sides:
        side.quit()


def difference(ours, theirs):
    """The largest relative difference of two lists of numbers, as far as both go; None where there is nothing to compare."""
    apart = [abs(a - b) / max(abs(a), abs(b), 1e-30) for a, b in zip(ours, theirs)]
    return max((math.inf if math.isnan(x) else x for x in apart), default=None)


class Bench:
    def __init__(self, options):
        self.options = options
        self.measured = {}
        self.shares = None
        self.notes = []
        self.pythons = {}  # by library: what runs it
        if not options.ours_only:
            self.find_peer("torch_geometric", "PyTorch Geometric", os.environ.get("PYTHON", sys.executable),
                           "pip install torch torch_geometric, or set PYTHON")
        if not options.ours_only and options.dgl_python:
            self.find_peer("dgl", "DGL", options.dgl_python, "see bench/README.md")

    def find_peer(self, library, name, python, help):
        """Whether `python` has the library; a note says which version, or why it is left out."""
        code = f"import sys, torch, {library} as l; sys.stdout.write('\\n' + torch.__version__ + ' ' + l.__version__)"
        try:
            asked = subprocess.run([python, "-W", "ignore", "-c", code], capture_output=True, text=True)
        except OSError as error:
            self.notes.append(f"{name} is left out, {python} does not run: {error.strerror}.")
            return
        if asked.returncode != 0:
            said = asked.stderr.strip().splitlines() or [f"code {asked.returncode}"]
            self.notes.append(f"{name} is left out, {python} says: {said[-1]}; {help}.")
            return
        torch, version = asked.stdout.splitlines()[-1].split()
        self.notes.append(f"Peer: {name} {version} with PyTorch {torch}.")
        self.pythons[library] = python

    def python_of(self, variant):
        """None where the peer that does it this way is not there."""
        return self.pythons.get("dgl" if variant.startswith("dgl") else "torch_geometric")

    def our_command(self, workload, threads, *more):
        command = [str(self.options.side), "--workload", workload, "--threads", str(threads), *more]
        if self.options.data:
            command += ["--data", self.options.data]
        return command + (["--quick"] if self.options.quick else [])

    def peer_command(self, workload, variant, folder):
        command = [self.python_of(variant), str(HERE / "peers" / "side.py"), "--workload", workload, "--inputs", folder, "--variant", variant,
                   "--weights", f"{folder}/weights.safetensors", "--threads", str(self.options.threads), "--losses", str(STEPS)]
        return command + (["--quick"] if self.options.quick else [])

    def beside_peers(self, workload, variants):
        """Our side and a dictionary of peers by variant, measured once for all goals."""
        if workload not in self.measured:
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(self.our_command(workload, 1, "--export", folder), check=True)
                weights = f"{folder}/weights.safetensors"
                given = ["--weights", weights] if os.path.exists(weights) else []
                ours = Side(self.our_command(workload, self.options.threads, *given, "--losses", str(STEPS)))
                peers = {v: Side(self.peer_command(workload, v, folder)) for v in variants if self.python_of(v)}
                take_turns([ours, *peers.values()], self.options)
            self.measured[workload] = ours, peers
        return self.measured[workload]

    def against_roofline(self, row):
        """What bench/roofline, run once for all its rows, says of a kernel."""
        if self.shares is None:
            command = [str(self.options.side.parent / "roofline"), "--json", "--threads", str(self.options.threads)]
            ran = subprocess.run(command + (["--quick"] if self.options.quick else []), check=True, stdout=subprocess.PIPE, text=True)
            self.shares = json.loads(ran.stdout)
        found = next(r for r in self.shares["rows"] if r["name"] == row.workload)
        return dict(peer="model", ours_median=found["median_ms"], ours_minimum=found["minimum_ms"], peer_median=found["model_ms"],
                    peer_minimum=None, ratio=found["model_ms"] / found["median_ms"], bound=found["bound"], machine=self.shares["machine"])

    def compare(self, row):
        """One line of the table: a dictionary of numbers, None for those that are not there."""
        result = dict(row=row, peer="", peer_median=None, peer_minimum=None, ratio=None, memory_ratio=None, difference=None, notes=[])
        if row.kind == "share":
            result.update(self.against_roofline(row))
            result["verdict"] = "smoke only" if self.options.quick else verdict(row, result["ratio"])
            return result
        if row.kind == "threads":
            ours = Side(self.our_command(row.workload, self.options.threads))
            other = Side(self.our_command(row.workload, 1))
            take_turns([ours, other], self.options)
            result["peer"] = "ours, one thread"
        else:
            wanted = [v for r in GOALS if r.workload == row.workload and r.kind not in ("threads", "share") for v in r.variants]
            ours, peers = self.beside_peers(row.workload, wanted)
            other = self.fastest(result, ours, {v: peers[v] for v in row.variants if v in peers})
        result.update(ours_median=ours.median(), ours_minimum=ours.minimum(), ours_memory=ours.memory, repetitions=len(ours.times))
        if ours.broken:
            result["notes"].append(f"our side stopped: {ours.broken}")
        if other is not None and other.times and ours.times:
            result.update(peer_median=other.median(), peer_minimum=other.minimum(), peer_memory=other.memory,
                          ratio=other.median() / ours.median(), ratio_of_minima=other.minimum() / ours.minimum())
            if row.kind != "threads" and ours.memory and other.memory:
                result["memory_ratio"] = max(ours.memory, 1) / other.memory
        value = result["ratio"]
        if row.kind == "ns":
            value = result["ns"] = None if not ours.times else ours.median() * 1e6 / ours.ready["parts"]
            result["notes"].append(f"{value:.0f} ns for each operation, median; the columns are for {ours.ready['parts']} of them")
        if row.kind == "rate":
            rates = [f"{side.ready['parts'] * 1000 / side.median():.0f}" for side in (ours, other) if side is not None and side.times]
            result["notes"].append(f"tokens per second, median: {' against '.join(rates)}")
        # One repetition at a tiny size says nothing about a goal, least of all on a busy machine.
        result["verdict"] = "smoke only" if self.options.quick else verdict(row, value, result["memory_ratio"])
        if result["difference"] is not None and result["difference"] > TOLERANCE:
            result["verdict"] = "NOT THE SAME WORK"
        return result

    def fastest(self, result, ours, peers):
        """Of the peers that ran and agree with us; what is to be said of the others becomes a note."""
        alive, apart = {}, {}
        for variant, side in peers.items():
            if side.broken:
                result["notes"].append(f"peer {variant} stopped: {side.broken}")
            if side.times:
                alive[variant] = side
                apart[variant] = difference(ours.ready.get("losses", []), side.ready.get("losses", [])) or 0.0
        agreeing = {variant for variant in alive if apart[variant] <= TOLERANCE}
        for variant in set(alive) - agreeing if agreeing else ():
            result["notes"].append(f"peer {variant} is left out: it differs from us, and from the others, by {apart[variant]:.1e}")
            del alive[variant]
        if not alive:
            return None
        result["peer"] = min(alive, key=lambda variant: alive[variant].median())
        result["difference"] = max(apart[variant] for variant in alive)
        result["variants"] = {variant: side.median() for variant, side in alive.items()}
        return alive[result["peer"]]


def machine():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def why_skipped(row, options):
    if row.workload.startswith(("nci1", "proteins")):
        if not options.data:
            return "needs --data FOLDER or ATTOGRAD_DATA"
        folder = pathlib.Path(options.data) / "tu" / ("NCI1" if row.workload.startswith("nci1") else "PROTEINS_full")
        if not folder.is_dir():
            return f"{folder} is not there"
    if row.kind == "threads" and options.threads < 2:
        return "needs two threads"
    return None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="goals, separated by commas: 1a,1b,1c,2,3,4,5,6,7,8,9,11,language")
    parser.add_argument("--workload", default="", help="only workloads whose name contains this")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of both sides (default: all)")
    parser.add_argument("--data", default=os.environ.get("ATTOGRAD_DATA", ""), help="folder with tu/NCI1, tu/PROTEINS_full (default: ATTOGRAD_DATA)")
    parser.add_argument("--out", help="write compare.md and compare.json into this folder")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn, at least one repetition")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one short turn: a smoke test, no measurement")
    parser.add_argument("--ours-only", action="store_true", help="do not look for peers")
    parser.add_argument("--dgl-python", default=os.environ.get("DGL_PYTHON", ""),
                        help="a Python that has DGL, which is then a peer too (default: DGL_PYTHON)")
    parser.add_argument("--side", type=pathlib.Path, default=HERE.parent / "build/release/bench/side", help="our program")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.02
    if not options.side.exists():
        parser.error(f"{options.side} is not there: cmake --preset release, then cmake --build --preset release --target bench")
    return options


def main():
    options = arguments()
    os.environ.setdefault("DGLBACKEND", "pytorch")  # DGL asks for it on standard output, and answers itself in the home folder
    bench = Bench(options)
    chosen = [row for row in GOALS if (not options.only or row.goal in options.only.split(",")) and options.workload in row.workload]
    heading = [f"{machine()}, {options.threads} threads, {time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f} at the start."]
    heading += bench.notes
    if options.quick:
        heading.append("Tiny sizes: nothing here is a measurement.")
    print("\n".join(heading), file=sys.stderr)
    results, lines = [], []
    for row in chosen:
        reason = why_skipped(row, options)
        if reason:
            print(f"goal {row.goal}, {row.title}: skipped, {reason}", file=sys.stderr)
            lines.append([row.goal, row.title] + ["-"] * 9 + ["skipped: " + reason])
            continue
        result = bench.compare(row)
        results.append(result)
        lines.append(cells(result))
        print("  ".join(lines[-1]), *result["notes"], sep="\n    ", file=sys.stderr)
    notes = [f"- goal {r['row'].goal}, {r['row'].title}: {note}" for r in results for note in r["notes"]]
    text = markdown(lines, heading) + "".join("\n" + note for note in notes) + ("\n" if notes else "")
    print(text)
    if options.out:
        out = pathlib.Path(options.out)
        out.mkdir(parents=True, exist_ok=True)
        (out / "compare.md").write_text(text)
        plain = [dict(result, row=vars(result["row"])) for result in results]
        (out / "compare.json").write_text(json.dumps(dict(heading=heading, threads=options.threads, quick=options.quick, results=plain), indent=1))
    wrong = any(result["verdict"] == "NOT THE SAME WORK" for result in results)
    return 1 if wrong or any("our side stopped" in note for result in results for note in result["notes"]) else 0


if __name__ == "__main__":
    sys.exit(main())
