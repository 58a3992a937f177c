"""The extension's script under the host's rules for scripts, in a process of its own.

AUTOMATIC1111/stable-diffusion-webui v1.9.4, modules/scripts.py (``load_scripts``) and modules/script_loading.py: the
folder of the extension stands first on ``sys.path`` while its script is executed and not afterwards; the script is
not in ``sys.modules``; the host's ``modules`` is a package without ``__init__.py``, like the folder of ours.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HOST = {
    "modules/script_callbacks.py": """
        called = {}
        def clear_callbacks():
            called.clear()
        def _adder(category):
            def add(callback, *, name=None):
                called.setdefault(category, []).append(callback)
            return add
        for _name in ("on_before_ui", "on_ui_settings", "on_ui_train_tabs", "on_ui_tabs", "on_app_started"):
            globals()[_name] = _adder(_name)
        on_script_unloaded = _adder("on_script_unloaded")
    """,
    "modules/shared.py": """
        class State:
            interrupted = False
            def request_restart(self):
                self.interrupted = True
        state = State()
    """,
    "modules/scripts.py": "scripts_data = []",
    "modules/restart.py": "def stop_program(): raise SystemExit",
    "loading.py": """
        import importlib.util, os, sys, traceback
        from modules import script_callbacks
        def load_scripts(extension):
            script_callbacks.clear_callbacks()
            folder, before = os.path.join(extension, "scripts"), sys.path
            for name in sorted(os.listdir(folder)):
                if not name.endswith(".py"):
                    continue
                try:
                    sys.path = [extension] + sys.path
                    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, name))
                    module = importlib.util.module_from_spec(spec)
                    spec.loader.exec_module(module)
                except Exception:
                    traceback.print_exc()
                finally:
                    sys.path = before
    """,
    "later.py": """
        import sys, types
        from loading import load_scripts
        from modules import script_callbacks
        def before_ui(extension):
            load_scripts(extension)
            axis = types.ModuleType("train_gamma.hosts.webui_xyz")  # the plot's axis would import torch
            axis.add_axis = lambda service: None
            sys.modules[axis.__name__] = axis
            for callback in script_callbacks.called["on_before_ui"]:
                callback()
    """,
}


@pytest.fixture
def webui(tmp_path: Path) -> Path:
    """A folder with a host that loads scripts."""
    for name, text in HOST.items():
        path = tmp_path / "webui" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")
    return tmp_path / "webui"


def run(webui: Path, code: str) -> str:
    """Run code in the host's process, whose path is the host's folder and not ours."""
    program = webui / "program.py"
    program.write_text(
        f"EXTENSION = {str(ROOT)!r}\nfrom loading import load_scripts\nfrom later import before_ui\n"
        + textwrap.dedent(code),
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-S", str(program)],  # without what is installed, where our package may be as well
        cwd=webui,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def test_loading_the_script_is_light_and_registers_everything(webui: Path) -> None:
    told = run(
        webui,
        """
        import sys
        before = list(sys.path)
        load_scripts(EXTENSION)
        from modules import script_callbacks
        print(sorted(script_callbacks.called))
        print([name for name in ("torch", "gradio", "numpy", "PIL", "diffusers") if name in sys.modules])
        print(sys.path == before)
        """,
    ).splitlines()
    assert told[0].count("on_") == 6
    assert told[1] == "[]"  # nothing heavy
    assert told[2] == "True"  # the host has put its path back


def test_later_imports_find_our_package_and_modules_is_still_the_hosts(webui: Path) -> None:
    told = run(
        webui,
        """
        import threading
        before_ui(EXTENSION)
        found = []
        def later():
            from train_gamma.hosts import detect
            from train_gamma import errors
            import modules.shared
            found.append((detect.__file__.startswith(EXTENSION), modules.shared.__file__))
        thread = threading.Thread(target=later); thread.start(); thread.join()
        print(found[0][0], found[0][1].startswith(EXTENSION))
        """,
    )
    assert told.split() == ["True", "False"]


def test_a_process_started_later_finds_our_package(webui: Path) -> None:
    told = run(
        webui,
        """
        import multiprocessing
        def main():
            before_ui(EXTENSION)
            from train_gamma.hosts.detect import host_kind
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(host_kind))
        if __name__ == "__main__":
            main()
        """,
    )
    assert told.strip() == "a1111"


def test_reload_ui_registers_again_and_keeps_what_lives_as_long_as_the_program(webui: Path) -> None:
    told = run(
        webui,
        """
        load_scripts(EXTENSION)
        from train_gamma.hosts import webui
        from modules import script_callbacks, shared
        first = webui.installation()
        for _ in range(2):
            [callback() for callback in script_callbacks.called["on_script_unloaded"]]
            load_scripts(EXTENSION)
        from train_gamma.hosts import webui as again
        print(again is webui, again.installation() is first, len(script_callbacks.called["on_ui_tabs"]))
        print(shared.state.request_restart.__wrapped__.__func__ is shared.State.request_restart)
        """,
    )
    assert told.split() == ["True", "True", "1", "True"]


def test_a_package_of_our_name_that_is_installed_elsewhere_is_not_taken(webui: Path) -> None:
    other = webui / "train_gamma"
    other.mkdir()
    (other / "__init__.py").write_text("raise ImportError('another train_gamma')", "utf-8")
    told = run(
        webui,
        """
        load_scripts(EXTENSION)
        import train_gamma
        print(train_gamma.__file__.startswith(EXTENSION))
        """,
    )
    assert told.strip() == "True"
