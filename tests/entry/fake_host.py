"""A WebUI made of a few modules: what it does where Train Gamma touches it, told in our own words."""

import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch


class State:
    """The state of the one job that the host knows. ``begin`` forgets all flags, ``end`` only the job."""

    def __init__(self) -> None:
        self.job, self.job_count, self.job_no = "", 0, 0
        self.sampling_step, self.sampling_steps = 0, 20
        self.interrupted = self.skipped = self.stopping_generation = False
        self.textinfo: str | None = None
        self.time_start: float | None = None
        self.server_command: str | None = None
        self.current_image: Any = None

    def begin(self, job: str = "(unknown)") -> None:
        self.job, self.job_count, self.job_no, self.sampling_step = job, -1, 0, 0
        self.interrupted = self.skipped = self.stopping_generation = False
        self.textinfo, self.time_start = None, time.time()

    def end(self) -> None:
        self.job, self.job_count = "", 0

    def interrupt(self) -> None:
        self.interrupted = True

    def request_restart(self) -> None:
        self.interrupt()
        self.server_command = "restart"

    def assign_current_image(self, image: Any) -> None:
        self.current_image = image


class Tasks:
    """The host's list of tasks, as its progress bar asks for them."""

    def __init__(self) -> None:
        self.current_task: str | None = None
        self.pending_tasks: OrderedDict[str, float] = OrderedDict()
        self.finished_tasks: list[str] = []

    def add_task_to_queue(self, task: str) -> None:
        self.pending_tasks[task] = time.time()

    def start_task(self, task: str) -> None:
        self.current_task = task
        self.pending_tasks.pop(task, None)

    def finish_task(self, task: str) -> None:
        if self.current_task == task:
            self.current_task = None
        self.finished_tasks.append(task)

    def seen(self, task: str) -> str:
        """What the progress bar would show of a task."""
        if task == self.current_task:
            return "active"
        return "queued" if task in self.pending_tasks else "completed" if task in self.finished_tasks else "unknown"


class Lock:
    """First come, first served; not to be taken twice by one thread."""

    def __init__(self) -> None:
        self._lock, self._inner_lock = threading.Lock(), threading.Lock()
        self._pending_threads: deque[threading.Event] = deque()

    def acquire(self, blocking: bool = True) -> bool:
        with self._inner_lock:
            if self._lock.acquire(blocking=False):
                return True
            if not blocking:
                return False
            woken = threading.Event()
            self._pending_threads.append(woken)
        woken.wait()
        return self._lock.acquire()

    def release(self) -> None:
        with self._inner_lock:
            if self._pending_threads:
                self._pending_threads.popleft().set()
            self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class HostEmbedding:
    """The host's object for an embedding."""

    def __init__(self, vec: Any, name: str, step: int | None = None) -> None:
        self.vec, self.name, self.step = vec, name, step
        self.vectors, self.shape = 0, -1
        self.filename = self.hash = self.shorthash = self.sd_checkpoint = self.sd_checkpoint_name = None

    def set_hash(self, value: str) -> None:
        self.hash, self.shorthash = value, value[:12]


class Folder:
    """A folder of embeddings and the time at which it was last read."""

    def __init__(self, path: Path) -> None:
        self.path, self.mtime = str(path), 0.0

    def has_changed(self) -> bool:
        return Path(self.path).stat().st_mtime > self.mtime

    def update(self) -> None:
        self.mtime = Path(self.path).stat().st_mtime


class Database:
    """Embeddings by name. Reading them anew makes new objects for all, as the host does."""

    def __init__(self, folder: Path) -> None:
        self.word_embeddings: dict[str, HostEmbedding] = {}
        self.embedding_dirs = {str(folder): Folder(folder)}
        self.expected_shape = -1
        self.reloads = 0

    def register_embedding_by_name(self, embedding: Any, model: Any, name: str) -> None:
        self.word_embeddings.pop(name, None)
        if embedding is not None:
            self.word_embeddings[name] = embedding

    def load_from_file(self, path: str, filename: str) -> None:
        if Path(filename).suffix in (".safetensors", ".pt"):
            self.word_embeddings[Path(filename).stem] = HostEmbedding(Path(path).read_bytes(), Path(filename).stem)

    def load_textual_inversion_embeddings(self, force_reload: bool = False) -> None:
        if not force_reload and not any(folder.has_changed() for folder in self.embedding_dirs.values()):
            return
        self.reloads += 1
        self.word_embeddings.clear()
        for folder in self.embedding_dirs.values():
            for path in sorted(Path(folder.path).iterdir()):
                self.load_from_file(str(path), path.name)
            folder.update()


class Processing:
    """A request for a picture, with the caches that all of them share."""

    cached_c: list[Any] = [None, None]  # noqa: RUF012 - shared, as in the host
    cached_uc: list[Any] = [None, None]  # noqa: RUF012


class ProcessingTxt2Img(Processing):
    cached_hr_c: list[Any] = [None, None]  # noqa: RUF012
    cached_hr_uc: list[Any] = [None, None]  # noqa: RUF012


class OptionInfo:
    """A setting as extensions describe it to the host."""

    def __init__(
        self, default: Any, label: str, component: Any = None, component_args: Any = None, **more: Any
    ) -> None:
        self.default, self.label, self.component, self.component_args = default, label, component, component_args
        self.section, self.category_id, self.restrict_api, self.note = more.get("section"), None, False, ""

    def info(self, note: str) -> "OptionInfo":
        self.note = note
        return self


class Options:
    """Settings; one that nobody has described is an AttributeError."""

    def __init__(self, **values: Any) -> None:
        self.data, self.described = dict(values), {}

    def __getattr__(self, key: str) -> Any:
        try:
            return self.__dict__["data"][key]
        except KeyError:
            raise AttributeError(key) from None

    def add_option(self, key: str, option: OptionInfo) -> None:
        self.described[key] = option
        self.data.setdefault(key, option.default)


class FakeHost:
    """The modules, and what tests look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.embeddings = folder / "embeddings"
        self.embeddings.mkdir(parents=True)
        self.state, self.tasks, self.lock = State(), Tasks(), Lock()
        self.database = Database(self.embeddings)
        self.opts = Options(CLIP_stop_at_last_layers=1)
        self.cmd_opts = SimpleNamespace(embeddings_dir=str(self.embeddings))
        self.model: Any = SimpleNamespace()
        self.callbacks: dict[str, list[Callable[..., Any]]] = {}
        self.names: dict[str, str | None] = {}
        self.scripts: list[Any] = []

    def modules(self) -> dict[str, ModuleType]:
        """The host's modules by name."""
        contents: dict[str, dict[str, Any]] = {
            "shared": {
                "state": self.state,
                "opts": self.opts,
                "cmd_opts": self.cmd_opts,
                "OptionInfo": OptionInfo,
                "sd_model": self.model,
            },
            "progress": {name: getattr(self.tasks, name) for name in dir(self.tasks) if not name.startswith("_")},
            "call_queue": {"queue_lock": self.lock},
            "processing": {
                "StableDiffusionProcessing": Processing,
                "StableDiffusionProcessingTxt2Img": ProcessingTxt2Img,
            },
            "sd_hijack": {"model_hijack": SimpleNamespace(embedding_db=self.database)},
            "sd_models": {"model_data": SimpleNamespace(sd_model=self.model), "checkpoints_list": {}},
            "restart": {"stop_program": lambda: None},
            "paths_internal": {"data_path": str(self.folder)},
            "launch_utils": {"git_tag": lambda: "v1.9.4"},
            "script_callbacks": {name: self._adder(name) for name in CALLBACKS},
            "scripts": {"scripts_data": self.scripts},
            "devices": {
                "device": torch.device("cpu"),
                "device_interrogate": torch.device("cpu"),
                "torch_gc": lambda: None,
            },
            "lowvram": {"send_everything_to_cpu": lambda: None},
            "textual_inversion": {},
            "textual_inversion.textual_inversion": {"Embedding": HostEmbedding},
        }
        return {f"modules.{name}": _module(f"modules.{name}", content) for name, content in contents.items()}

    def call(self, name: str, *arguments: Any) -> list[Any]:
        """What the host does at one of its calls."""
        return [callback(*arguments) for callback in self.callbacks.get(name, [])]

    def _adder(self, name: str) -> Callable[..., None]:
        def add(callback: Callable[..., Any], *, name: str | None = None) -> None:
            self.callbacks.setdefault(call, []).append(callback)
            self.names[call] = name

        call = name
        return add


CALLBACKS = (
    "on_before_ui",
    "on_ui_settings",
    "on_ui_train_tabs",
    "on_ui_tabs",
    "on_app_started",
    "on_script_unloaded",
)


def install(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the modules where ``from modules import ...`` finds them."""
    package = ModuleType("modules")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "modules", package)
    for name, module in host.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, short = name.rpartition(".")
        monkeypatch.setattr(sys.modules[parent], short, module, raising=False)


def _module(name: str, content: dict[str, Any]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    module.__path__ = []
    return module
