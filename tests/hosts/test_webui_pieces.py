"""The parts of lending in the WebUI that stand without the WebUI. (Everything else is tested in tests/host/inside.)"""

import hashlib
import os
import sys
import threading
import time
import types
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from train_gamma.errors import UserError
from train_gamma.hosts import webui_queue
from train_gamma.hosts.webui_model import Pin, file_hash
from train_gamma.hosts.webui_overrides import SettingsView, attributes, settings_seen_by
from train_gamma.hosts.webui_queue import Turn
from train_gamma.hosts.webui_unet import blocks_checkpointed
from train_gamma.training.events import Control


class Settings:
    """As the host's: values in ``data``, defaults elsewhere."""

    def __init__(self, **data: Any) -> None:
        self.data = data

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            raise AttributeError(name) from None


def test_a_view_shows_other_values_and_everything_else_as_it_is_now() -> None:
    settings = Settings(emphasis="Original", backtrack=20)
    view = SettingsView(settings, {"emphasis": "None", "new": 1})
    assert (view.emphasis, view.backtrack, view.new) == ("None", 20, 1)
    settings.data["backtrack"] = 3
    assert view.backtrack == 3
    assert settings.data == {"emphasis": "Original", "backtrack": 3}
    with pytest.raises(AttributeError):
        _ = view.unknown


def test_only_one_module_sees_other_settings_and_only_inside() -> None:
    settings = Settings(emphasis="Original")
    reader, other = types.ModuleType("reader"), types.ModuleType("other")
    reader.opts = other.opts = settings  # type: ignore[attr-defined]
    with settings_seen_by(reader, {"emphasis": "None"}):
        assert reader.opts.emphasis == "None"
        assert other.opts.emphasis == "Original"
    assert reader.opts is settings
    with pytest.raises(ZeroDivisionError), settings_seen_by(reader, {"emphasis": "None"}):
        raise ZeroDivisionError
    assert reader.opts is settings


def test_attributes_that_were_not_there_are_gone_afterwards() -> None:
    class Owner:
        shared = "of the class"

    owner: Any = Owner()
    owner.own = "before"
    with attributes(owner, {"own": 1, "shared": 2, "new": 3}):
        assert (owner.own, owner.shared, owner.new) == (1, 2, 3)
    assert vars(owner) == {"own": "before"}
    assert owner.shared == "of the class"


def model(filename: str, sha256: str | None) -> Any:
    return types.SimpleNamespace(sd_checkpoint_info=types.SimpleNamespace(filename=filename, sha256=sha256))


@pytest.mark.parametrize("now", [("a.ckpt", "1"), ("a.ckpt", None)])
def test_the_same_checkpoint_is_the_same_even_before_its_hash_is_known(now: tuple[str, str | None]) -> None:
    Pin.of(model("a.ckpt", "1")).check(model(*now))
    Pin.of(model(*now)).check(model("a.ckpt", "1"))


@pytest.mark.parametrize("now", [("b.ckpt", "1"), ("b.ckpt", None), ("a.ckpt", "2")])
def test_another_file_or_other_contents_are_another_checkpoint(now: tuple[str, str | None]) -> None:
    with pytest.raises(UserError, match=r"begun with 'a\.ckpt', now '[ab]\.ckpt'.*What was trained is saved"):
        Pin.of(model("a.ckpt", "1")).check(model(*now))


def test_no_checkpoint_is_another_checkpoint() -> None:
    with pytest.raises(UserError, match="now none is loaded"):
        Pin.of(model("a.ckpt", "1")).check(None)


def test_a_file_is_hashed_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    for content in (b"first", b"second"):
        path.write_bytes(content)
        os.utime(path, ns=(1, len(content)))
        assert file_hash(path) == hashlib.sha256(content).hexdigest()


class Lock:
    """A lock that hands over in the order of asking, and shows who waits as the host's does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inner_lock = threading.Lock()
        self._pending_threads: deque[threading.Event] = deque()

    def acquire(self, blocking: bool = True) -> bool:
        with self._inner_lock:
            if self._lock.acquire(False):
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


def test_a_turn_is_over_when_somebody_waits_or_it_has_been_long(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock()
    lock.acquire()
    turn = Turn(lock)
    assert not turn.is_over()
    lock._pending_threads.append(threading.Event())
    assert turn.is_over()
    lock._pending_threads.clear()
    monkeypatch.setattr(webui_queue, "LONGEST_TURN_S", 0.0)
    time.sleep(0.001)
    assert turn.is_over()


def test_everybody_who_waits_has_a_turn_before_ours_comes_again() -> None:
    lock, order = Lock(), []
    lock.acquire()
    turn = Turn(lock)

    def other(name: str) -> None:
        lock.acquire()
        order.append(name)
        time.sleep(0.005)
        lock.release()

    threads = []
    for index in range(5):
        threads.append(threading.Thread(target=other, args=(f"{index}",)))
        threads[-1].start()
        while len(lock._pending_threads) <= index:
            time.sleep(0.001)
    turn.pass_on()
    order.append("ours")
    assert order == ["0", "1", "2", "3", "4", "ours"]
    assert not lock.acquire(blocking=False)
    for thread in threads:
        thread.join()


def test_a_turn_is_passed_on_in_no_time_when_nobody_is_there() -> None:
    lock = Lock()
    lock.acquire()
    turn = Turn(lock)
    began = time.perf_counter()
    for _ in range(10):
        turn.pass_on()
    assert time.perf_counter() - began < 0.5
    assert not lock.acquire(blocking=False)


def test_a_place_that_was_left_is_dropped_when_it_comes_up() -> None:
    lock, control = Lock(), Control()
    lock.acquire()
    control.stop()
    with pytest.raises(UserError, match="stopped before it was its turn"):
        webui_queue._wait_for(lock, control)
    lock.release()
    until = time.monotonic() + 5
    while not (lock.acquire(blocking=False) and not lock._pending_threads):
        assert time.monotonic() < until
        time.sleep(0.001)


class Block(nn.Module):
    """As ldm's blocks: ``forward`` looks at a flag, ``_forward`` computes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.computed = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise AssertionError("the flag was looked at")

    def _forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        self.computed += 1
        return torch.tanh(self.layer(x)) * scale


@contextmanager
def cast_by_hand() -> Iterator[None]:
    """As the host's ``manual_cast``: exchanges the forward of a class, and only inside."""
    original = nn.Linear.forward

    def cast(self: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        return original(self, x.to(self.weight.dtype))

    if original.__name__ == "cast":  # nested, the outer one puts it back
        yield
        return
    nn.Linear.forward = cast  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Linear.forward = original  # type: ignore[method-assign]


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The host's ``modules.devices``, which casts nothing."""
    made: Any = types.ModuleType("modules.devices")
    made.unet_needs_upcast, made.autocast, made.without_autocast = False, nullcontext, nullcontext
    package: Any = types.ModuleType("modules")
    package.devices = made
    monkeypatch.setitem(sys.modules, "modules", package)
    monkeypatch.setitem(sys.modules, "modules.devices", made)
    return made


@pytest.mark.parametrize("upcast", [True, False])
def test_blocks_are_computed_again_as_they_were_computed(devices: Any, upcast: bool) -> None:
    """The way back is outside of the context in which the host casts."""
    devices.unet_needs_upcast = upcast
    setattr(devices, "without_autocast" if upcast else "autocast", cast_by_hand)
    block = Block().to(torch.bfloat16).requires_grad_(False)
    lent = types.SimpleNamespace(model=types.SimpleNamespace(diffusion_model=block))
    gradients = []
    for on in (True, False):
        x = torch.ones(2, 4, requires_grad=True)
        with blocks_checkpointed(lent, on):
            with cast_by_hand():
                output = block(x)
            output.float().sum().backward()
        gradients.append(x.grad)
    assert block.computed == 3
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


@pytest.mark.parametrize(("on", "times"), [(True, 2), (False, 1)])
def test_blocks_are_computed_again_on_the_way_back_only_when_asked(devices: Any, on: bool, times: int) -> None:
    block = Block().requires_grad_(False)
    lent = types.SimpleNamespace(model=types.SimpleNamespace(diffusion_model=nn.Sequential(block, nn.Identity())))
    x = torch.randn(2, 4, requires_grad=True)
    with blocks_checkpointed(lent, on):
        block(x, scale=2.0).sum().backward()
    assert block.computed == times
    expected = 2 * (1 - torch.tanh(block.layer(x)).square()) @ block.layer.weight
    assert x.grad is not None
    torch.testing.assert_close(x.grad, expected.detach())
    assert "forward" not in vars(block)


def test_blocks_that_another_extension_has_patched_are_patched_again_afterwards() -> None:
    block = Block()
    patch = block.forward = lambda x: x  # type: ignore[assignment,method-assign]
    lent = types.SimpleNamespace(model=types.SimpleNamespace(diffusion_model=block))
    with blocks_checkpointed(lent, False):
        assert block.forward is not patch
    assert block.forward is patch
