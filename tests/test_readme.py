"""The README's Quick start does what it says."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def quick_start() -> list[str]:
    section = (ROOT / "README.md").read_text("utf-8").split("## Quick start without a WebUI", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_quick_start_is_two_blocks_of_one_line() -> None:
    blocks = quick_start()
    assert len(blocks) == 2
    assert all(block.count("\n") == 1 for block in blocks)


def test_both_lines_use_the_same_environment_and_the_lock() -> None:
    for block in quick_start():
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e ")


def test_ci_takes_its_test_command_from_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "README.md" in script
    assert "pytest" in quick_start()[1]


def test_torch_is_pinned_exactly() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text("utf-8").splitlines()


@pytest.mark.slow
def test_first_line_trains_an_embedding_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    done = subprocess.run(["bash", "-c", quick_start()[0]], cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    embedding = re.search(r"^Embedding: +(.+)$", done.stdout, re.MULTILINE)
    sheet = re.search(r"^Contact sheet: +(.+)$", done.stdout, re.MULTILINE)
    line = re.search(r"identity (\d\.\d\d) -> (\d\.\d\d), evaluation loss \d\.\d+ -> \d\.\d+", done.stdout)
    assert embedding
    assert (clone / embedding[1]).is_file()
    assert sheet
    assert (clone / sheet[1]).is_file()
    assert line
    assert float(line[2]) > float(line[1])
