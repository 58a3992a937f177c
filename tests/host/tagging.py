"""What several tests of tagging against a started WebUI do: folders of pictures, runs over the API, other programs."""

import json
import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.host.launching import PATIENCE_S, Server
from tests.host.stories import draw_pictures

MINIATURE = "miniature"
"""The tagger that ships with the project."""

SOURCES = Path(__file__).parents[2] / "modules"


def drawn(folder: Path, count: int = 12) -> Path:
    """Drawn pictures without captions."""
    draw_pictures(folder, count)
    for caption in folder.glob("*.txt"):
        caption.unlink()
    return folder


def many(server: Server, count: int) -> Path:
    """So many pictures that nobody has seen before that a run takes a while."""
    folder = server.data / f"many {uuid.uuid4().hex[:6]}"
    folder.mkdir()
    rng = np.random.default_rng()
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
        coarse.resize((40, 30), Image.Resampling.BICUBIC).save(folder / f"{number:05}.png")
    return folder


def captions(folder: Path) -> dict[str, bytes]:
    """The caption files and their bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}


def begin(server: Server, folder: Path, **settings: Any) -> str:
    """Begin to tag over the API; the id of the job."""
    config = {"folder": str(folder), "model": MINIATURE, **settings}
    return str(server.request("/train-gamma/v1/tag", {"config": config})["job"])


def wait(server: Server, job: str, state: str = "", done: int = 0) -> Any:
    """The snapshot of a job once it is in ``state`` ("" for any end), or has done so many pictures."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        snapshot = server.request(f"/train-gamma/v1/jobs/{job}")
        if snapshot["state"] == state or (done and snapshot["done"] >= done):
            return snapshot
        if snapshot["state"] in ("finished", "stopped", "failed"):
            assert not state, f"the job ended as {snapshot['state']}: {snapshot['message']}"
            return snapshot
        time.sleep(0.05)
    raise TimeoutError(f"job {job} took more than {PATIENCE_S:.0f} s")


def tagged_elsewhere(python: Path, folder: Path, data: Path, **settings: Any) -> dict[str, bytes]:
    """The captions that the stand-alone program writes, run by another Python in a process of its own."""
    code = """
import json, sys
from pathlib import Path
from train_gamma.hosts.standalone import StandaloneHost
from train_gamma.service import Service
from train_gamma.tagging.config import TagConfig
data, config = Path(sys.argv[1]), json.loads(sys.argv[2])
job = Service(StandaloneHost(data)).tagging.tag(TagConfig(**config))
assert job.wait(120) and job.state == "finished", job.snapshot()
"""
    config = json.dumps({"folder": str(folder), "model": MINIATURE, **settings})
    _run([str(python), "-c", code, str(data), config])
    return captions(folder)


def tagged_by_command(python: Path, folder: Path, *options: str) -> dict[str, bytes]:
    """The captions that ``train-gamma tag`` writes."""
    _run([str(python), "-m", "train_gamma.cli", "tag", str(folder), "--model", MINIATURE, *options])
    return captions(folder)


def _run(command: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
