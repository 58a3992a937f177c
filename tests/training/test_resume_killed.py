"""A run that is killed with SIGKILL goes on as if nothing had happened. Real processes, so slow."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import EVERYTHING
from tests.training.runs import Heard, only_run, state_numbers
from tests.training.test_resume import assert_same_run
from tests.worlds import write_pictures
from train_gamma.training.entry import resume_run
from train_gamma.training.events import Control
from train_gamma.training.run_folder import RunFolder

PROJECT = Path(__file__).parents[2]

PROGRAM = """
import json, sys, time
from pathlib import Path
import tests.conftest
from tests.tiny import tiny_backbone
from tests.worlds import small_config
from train_gamma.training.events import Control, Progress
from train_gamma.training.entry import resume_run, start_run

def listener(event):
    if isinstance(event, Progress):
        time.sleep(0.05)

root, changes = Path(sys.argv[1]), json.loads(sys.argv[2])
runs = sorted((root / "runs").glob("*"))
if runs:
    resume_run(runs[0], tiny_backbone(), listener, Control())
else:
    start_run(small_config(root, **changes), tiny_backbone(), listener, Control())
"""


def train_and_kill(root: Path, at_step: int) -> None:
    """Train in another process and kill it as soon as a state of ``at_step`` or later is on the disk."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "modules"), str(PROJECT)])}
    command = [sys.executable, "-c", PROGRAM, str(root), json.dumps(EVERYTHING)]
    with subprocess.Popen(command, env=environment, cwd=PROJECT) as process:
        while not _reached(root, at_step):
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def _reached(root: Path, step: int) -> bool:
    states = list((root / "runs").glob("*/state.safetensors"))
    return bool(states) and state_numbers(RunFolder(states[0].parent))["step"] >= step


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_killed_twice_ends_like_one_left_alone(whole_run: RunFolder, tiny: Any, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures")
    train_and_kill(tmp_path, 4)
    folder = only_run(tmp_path)
    assert not (folder.path / "zzgamma.safetensors").exists()
    train_and_kill(tmp_path, 10)
    assert 10 <= state_numbers(folder)["step"] < 20
    resume_run(folder.path, tiny, Heard(), Control())
    assert_same_run(folder, whole_run)
