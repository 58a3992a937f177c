"""How long the Dataset tab waits for the server: 2,000 pictures with 30 tags each, through HTTP.

    python tools/benchmark_datasets.py [PICTURES]

The stand-alone app is started on a port of its own. Times are the median of five requests, in milliseconds.
"""

import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "modules"), str(ROOT)]

from tools.benchmark_captions import COMMON, write_set  # noqa: E402

from train_gamma.api import AccessRules  # noqa: E402
from train_gamma.captions import cleaning  # noqa: E402
from train_gamma.demo.samples import write_dataset  # noqa: E402
from train_gamma.hosts.standalone import StandaloneHost  # noqa: E402
from train_gamma.hosts.standalone_app import make_app  # noqa: E402
from train_gamma.service import Service  # noqa: E402

TAGS, PAGE, SIDE, CONNECTIONS, PORT = 30, 60, 256, 6, 7899
API = f"http://127.0.0.1:{PORT}/train-gamma/v1/datasets"
TOKEN = "benchmark"
LIMIT_MS = 300

ACTIONS: dict[str, dict[str, Any]] = {
    "remove a tag from all": {"action": "remove", "tags": ["1girl"]},
    "remove 200 tags": {"action": "remove", "tags": COMMON[:200]},
    "add in front": {"action": "add", "tags": ["trigger"], "position": "front"},
    "add behind another": {"action": "add", "tags": ["trigger"], "position": "after", "beside": "solo"},
    "rename": {"action": "rename", "tag": "1girl", "new": "one girl"},
    "replace 40 tags by one": {
        "action": "replace",
        "rules": [{"search": ", ".join(COMMON[:40]), "replacement": "nsfw", "kind": "exact"}],
    },
    "replace a part of tags": {
        "action": "replace",
        "rules": [{"search": "hair", "replacement": "fur", "kind": "substring"}],
    },
    "replace by regex": {
        "action": "replace",
        "rules": [{"search": r"^(\w+)_(\w+)$", "replacement": r"\2 \1", "kind": "regex"}],
    },
    "move 20 to the front": {"action": "move_to_front", "tags": COMMON[:20]},
    "sort alphabetically": {"action": "sort", "order": "alphabetical"},
    "sort by frequency": {"action": "sort", "order": "frequency"},
    "keep the first 10": {"action": "keep_first", "count": 10},
    "remove duplicates": {"action": "unique"},
    "truncate to 60 tokens": {"action": "truncate", "count": 60},
    "copy one picture's tags to all": {"action": "copy", "picture": 0},
    "yes or no, one tag": {"action": "mark", "tag": "1girl", "having": [], "lacking": list(range(0, 2000, 2))},
    "clean, every kind": {"action": "clean", "actions": [action.name for action in cleaning.ACTIONS]},
}


def main() -> None:
    """Print the table."""
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as temporary:
        folder = write_set(Path(temporary, "set"), pictures, TAGS)
        drawn = [path.read_bytes() for path in write_dataset(0, Path(temporary, "drawn"), 48)]
        for number in range(pictures):
            (folder / f"{number}.png").write_bytes(drawn[number % len(drawn)])
        stop = serve(Service(StandaloneHost(Path(temporary, "data"))))
        print(f"{pictures} pictures, {TAGS} tags each\n\n| | ms |\n|---|---|")
        measure(folder)
        stop()


def measure(folder: Path) -> None:
    """Open a dataset, look at it and edit it."""
    begun = time.perf_counter()
    state = post("/open", {"folder": str(folder)})
    row("open", (time.perf_counter() - begun) * 1000)
    path = f"/{state['id']}"
    row("first page, thumbnails to be made", clock(lambda: page(path), 1))
    row("first page, thumbnails there", clock(lambda: page(path)))
    row("list of tags", clock(lambda: post(path + "/tags", {"limit": 200})))
    row("filter", clock(lambda: post(path + "/pictures", {"filter": {"all": [COMMON[0]], "none": [COMMON[1]]}})))
    row("suggestions for pruning", clock(lambda: post(path + "/prune", {"num_vectors": 8})))
    row("autocomplete", clock(lambda: get(path + "/complete?text=hair")))
    slowest = 0.0
    for name, action in ACTIONS.items():
        taken, files = act(path, action)
        slowest = max(slowest, taken)
        row(f"{name} ({files} files)", taken)
    print(f"\nslowest edit: {slowest:.0f} ms")
    if slowest > LIMIT_MS:
        raise SystemExit(f"An edit takes more than {LIMIT_MS} ms.")


def act(path: str, action: dict[str, Any]) -> tuple[float, int]:
    """The time of an edit, and how many files it changes; it is undone each time."""
    taken, files = [], 0
    for _ in range(5):
        begun = time.perf_counter()
        files = post(path + "/edit", action)["files"]
        taken.append((time.perf_counter() - begun) * 1000)
        if files:
            post(path + "/undo", {})
    return statistics.median(taken), files


def page(path: str) -> None:
    """What the browser asks for when the grid is shown: a page of pictures, and their thumbnails."""
    items = post(path + "/pictures", {"limit": PAGE})["items"]
    addresses = [f"{path}/thumbnails/{one['index']}?size={SIDE}&v={one['stamp']}&token={TOKEN}" for one in items]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        sizes = list(pool.map(lambda address: len(get_bytes(address)), addresses))
    assert all(sizes)


def clock(do: Callable[[], object], times: int = 5) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        do()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def row(name: str, milliseconds: float) -> None:
    print(f"| {name} | {milliseconds:.0f} |", flush=True)


def post(path: str, content: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json", "X-Train-Gamma-Token": TOKEN}
    request = urllib.request.Request(API + path, json.dumps(content).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def get(path: str) -> Any:
    return json.loads(get_bytes(path))


def get_bytes(path: str) -> bytes:
    request = urllib.request.Request(API + path, headers={"X-Train-Gamma-Token": TOKEN})
    with urllib.request.urlopen(request) as answer:
        content: bytes = answer.read()
        return content


def serve(service: Service) -> Callable[[], None]:
    """Start the app; returns what stops it."""
    app = make_app(service, AccessRules({}, False, TOKEN))
    server = uvicorn.Server(uvicorn.Config(app, port=PORT, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)

    def stop() -> None:
        server.should_exit = True
        thread.join(20)

    return stop


if __name__ == "__main__":
    main()
