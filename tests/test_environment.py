"""environment.yml and pyproject.toml install the same packages, and the list resolves on the three systems."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent


def project_dependencies() -> list[str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


def conda_dependencies() -> list[str]:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    return next(entry for entry in entries if isinstance(entry, dict))["pip"]


def test_conda_installs_what_pip_installs():
    conda = conda_dependencies()
    assert conda[-1] == "-e ."
    assert conda[:-1] == project_dependencies()


def test_every_import_of_the_package_is_a_declared_dependency():
    declared = {name.split(">")[0].split("=")[0].replace("-", "_") for name in project_dependencies()}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    wanted = [name for extra in ("flash", "teach", "parquet", "bench", "site") for name in extras[extra]]
    optional = {name.split(">")[0].replace("-", "_") for name in wanted}
    for file in (ROOT / "minibert").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in (n.split(".")[0] for n in names):
                known = name in sys.stdlib_module_names or name == "minibert" or name in declared | optional
                assert known or "bench" in file.parts, f"{file.name} imports {name}, which pyproject.toml does not name"


SYSTEMS = [(platform, "3.11") for platform in ("linux", "windows", "aarch64-apple-darwin")]
SYSTEMS += [("linux", f"3.{minor}") for minor in (12, 13, 14)]


@pytest.fixture(scope="module")
def resolutions(tmp_path_factory):
    """Started together, since each of them waits for the package index most of the time."""
    requirements = tmp_path_factory.mktemp("resolve") / "requirements.in"
    requirements.write_text("\n".join(project_dependencies()), encoding="utf-8")
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--only-binary", ":all:", str(requirements)]
    environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}  # the oldest macOS that PyTorch supports
    started = {}
    for platform, python in SYSTEMS:
        asked = [*command, "--python-platform", platform, "--python-version", python]
        pipes = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        started[platform, python] = subprocess.Popen(asked, env=environment, **pipes)
    yield started
    for process in started.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("system", SYSTEMS, ids="-".join)
def test_the_dependencies_resolve_to_wheels(resolutions, system):
    """Needs the package index; says so and skips where there is none."""
    process = resolutions[system]
    said = process.communicate(timeout=120)[1]
    offline = any(word in said.lower() for word in ("network", "connect", "dns", "timed out", "offline"))
    if process.returncode and offline:
        pytest.skip("no package index within reach")
    assert process.returncode == 0, said
