"""A program that is killed while it saves: every caption is the old or the new one, and the backup puts all back."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.captions.sets import write_set
from train_gamma.captions.files import list_backups, restore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")

PROJECT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from train_gamma.captions import edits
from train_gamma.captions.store import open_store

folder, backups = Path(sys.argv[1]), Path(sys.argv[2])
for line in sys.stdin:
    store = open_store(folder, False)
    store.apply(edits.add(store.captions, ["new tag (x)"], "front"), "add")
    child = os.fork()
    if child == 0:
        store.save(backups)
        os._exit(0)
    start = time.perf_counter()
    ended = 0
    while not ended and time.perf_counter() - start < float(line):
        ended = os.waitpid(child, os.WNOHANG)[0]
        time.sleep(0.0005)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(time.perf_counter() - start, flush=True)
"""


class Killing:
    """A process that saves in children of its own and kills them after a while."""

    def __init__(self, folder, backups):
        environment = {**os.environ, "PYTHONPATH": str(PROJECT / "modules")}
        command = [sys.executable, "-c", PROGRAM, str(folder), str(backups)]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def save(self, seconds):
        """Save and kill after so long, unless it ends before; returns how long it took."""
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def kill_often(tmp_path, times, num_files):
    """Returns how often the end came before anything was written, in the middle, and after everything was."""
    captions = {f"p{i}": f"1girl,solo ,tag {i}\r\n" * (i % 7 > 0) if i % 5 else None for i in range(num_files)}
    folder, backups = write_set(tmp_path / "set", captions), tmp_path / "backups"
    old = contents(folder)
    generator = random.Random(7)
    seen = {"before": 0, "middle": 0, "after": 0}
    with Killing(folder, backups) as killing:
        took = killing.save(60)
        new = contents(folder)
        assert len(new) == num_files
        assert all(data.startswith(rb"new tag \(x\)") for data in new.values())
        put_back(backups, folder, old)
        for _ in range(times):
            killing.save(generator.uniform(0, 1.1 * took))
            now = contents(folder)
            assert all(now.get(name) in (old.get(name), new[name]) for name in new)
            assert set(old) <= set(now) <= set(new)
            changed = sum(now.get(name) != old.get(name) for name in new)
            seen["before" if changed == 0 else "after" if changed == num_files else "middle"] += 1
            put_back(backups, folder, old)
    return seen


def put_back(backups, folder, old):
    """Restore the newest backup, if the save came that far, and see that everything is as it was."""
    found = list_backups(backups, folder)
    if contents(folder) != old:
        restore(found[0].path)
    assert contents(folder) == old
    for backup in backups.rglob("*.zip"):
        backup.unlink()


def contents(folder):
    """The captions; hidden files, such as a temporary one that nobody could remove any more, are none."""
    return {path.name: path.read_bytes() for path in folder.glob("*.txt") if not path.name.startswith(".")}


def test_killed_a_few_times(tmp_path):
    assert sum(kill_often(tmp_path, 6, num_files=40).values()) == 6


@pytest.mark.slow
def test_killed_two_hundred_times_at_random(tmp_path):
    seen = kill_often(tmp_path, 200, num_files=150)
    assert sum(seen.values()) == 200
    assert seen["middle"] > 20, seen
