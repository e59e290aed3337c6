"""`ikeref` itself: its version, its help, and what becomes of a mistake."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

import ikeref
from ikeref.cli.main import COMMANDS, app


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "80", "TERM": "dumb"}).invoke(app, [*arguments])
    return result.exit_code, result.output


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version") == (0, f"ikeref {ikeref.__version__}\n")


def test_help_names_every_command() -> None:
    code, output = run("--help")
    assert code == 0
    assert all(f" {entry.name} " in output for entry in COMMANDS)


@pytest.mark.parametrize("name", [entry.name for entry in COMMANDS])
def test_the_help_of_each_command_says_what_its_exit_codes_mean(name: str) -> None:
    code, output = run(name, "--help")
    assert code == 0
    assert "Exit code: 0" in output


def test_a_mistyped_command_is_exit_code_2() -> None:
    code, output = run("tuor")
    assert code == 2
    assert "tuor" in output


def test_decode_does_not_wait_for_what_only_the_tour_needs() -> None:
    script = "import sys, ikeref.cli.main, ikeref.cli.decode.command; sys.exit('z3' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )


def test_a_terminal_without_our_characters_is_no_reason_to_fail() -> None:
    script = "from ikeref.cli.main import main; main()"
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", script, "decode", "00"], check=False, env=environment, capture_output=True
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"octet 0" in done.stdout
