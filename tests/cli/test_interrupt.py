"""Ctrl-C in a real process: it saves, says how to go on, and the run goes on from there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from train_gamma.cli import main
from train_gamma.embedding.files import read_embedding
from train_gamma.training.state import load_state

MODULES = Path(__file__).parents[2] / "modules"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to the whole console")
def test_ctrl_c_saves_and_says_how_to_go_on(configuration: Path, tmp_path: Path) -> None:
    steps = "training.max_steps=100000"
    command = [sys.executable, "-m", "train_gamma.cli", "train", str(configuration), "--set", steps]
    environment = {**os.environ, "PYTHONPATH": str(MODULES), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("runs/*/copies/zzgamma-4.safetensors")) and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (folder,) = (tmp_path / "runs").iterdir()
    assert f"Go on with: train-gamma resume {folder}" in out
    stopped = load_state(folder / "state.safetensors").step
    assert read_embedding(folder / "zzgamma.safetensors").step == stopped >= 4
    assert main(["resume", str(folder), "--set", f"training.max_steps={stopped + 2}"]) == 0
    assert read_embedding(folder / "zzgamma.safetensors").step == stopped + 2
