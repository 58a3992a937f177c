"""What the WebUI runs at each start: makes sure of onnxruntime, the one package that the WebUI may lack.

Taggers run on it; everything else works without it. Returns at once when it is there, and a failure is one line.
"""

import importlib.metadata
import sys
from pathlib import Path

BUILDS = ("", "-gpu", "-directml", "-openvino", "-rocm", "-migraphx", "-silicon", "-training", "-qnn", "-cann")


def is_installed(package: str) -> bool:
    """Whether ``package`` is there, broken or not, without importing it."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def main() -> None:
    """Install what is missing, and never anything that is there."""
    if any(is_installed(f"onnxruntime{build}") for build in BUILDS):
        return
    sys.path.append(str(Path(__file__).resolve().parent / "modules"))
    from train_gamma.hosts.onnxruntime_setup import install_onnxruntime  # noqa: PLC0415 - only when it is needed

    install_onnxruntime()


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # the WebUI starts whatever happens here
        told = f"{type(error).__name__}: {error}"
        print(f"[Train Gamma] onnxruntime was not set up ({told}). Training works without it.")  # noqa: T201
