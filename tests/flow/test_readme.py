"""What README says can be typed runs as it is, in a folder that has nothing but the examples."""

import os
import re
import shutil
import subprocess

from conftest import PROGRAM, ROOT


def test_the_first_commands_run_as_they_are(tmp_path):
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        use = file.read().split("## Use\n")[1]
    commands = re.match(r"\n((?:    .*\n)+)", use)[1]
    assert commands.count("build/neuron") >= 5
    shutil.copytree(os.path.join(ROOT, "examples"), tmp_path / "examples")
    (tmp_path / "build").mkdir()
    os.symlink(PROGRAM, tmp_path / "build/neuron")
    done = subprocess.run(["sh", "-euc", commands], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert {"airports.db", "clicks.csv", "airports.html", "neuron.yaml"} <= set(os.listdir(tmp_path))
    assert '{"half":3.5' in done.stdout
