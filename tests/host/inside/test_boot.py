"""The host in this process: what all other tests in this folder stand on."""

from typing import Any


def test_the_miniature_checkpoint_is_loaded(webui: Any) -> None:
    assert "miniature" in webui.sd_model.sd_checkpoint_info.title
    assert webui.sd_model.first_stage_model is not None
