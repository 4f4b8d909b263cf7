# SPDX-License-Identifier: Apache-2.0
"""oelint-adv finds nothing in the Yocto layer; .oelint.cfg has the rules that it leaves out."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.house.tree import ROOT, files

LAYER = ROOT / "meta-ota"
METADATA = {".bb", ".bbappend", ".bbclass", ".conf", ".inc"}

pytestmark = [pytest.mark.boot, pytest.mark.timeout(300)]  # [s] on a busy machine


def findings(layer: Path, release: str) -> list[str]:
    """Run it on a layer, with the layer's own settings; a line for each finding."""
    paths = [path for path in files(root=layer) if path.suffix in METADATA]
    assert paths
    program = Path(sys.executable).with_name("oelint-adv")
    options = ("--release", release, "--quiet", "--nobackup", "--exit-zero")
    words: tuple[str | Path, ...] = (program, *options, *paths)
    in_layer = ("sh", "-c", 'cd "$0" && exec "$@" 2>&1', layer, *words)
    said = run(in_layer, timeout=240).decode()
    return [line for line in said.splitlines() if re.search(r":(error|warning):", line)]


@pytest.mark.parametrize("release", ["scarthgap", "wrynose"])
def test_nothing_is_found_in_the_layer(release: str) -> None:
    assert findings(LAYER, release) == []


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    for name in (".oelint.cfg", ".oelint.json"):
        shutil.copy(LAYER / name, tmp_path)
    (tmp_path / "bad_1.0.bb").write_text('SUMMARY = "a"\nLICENSE_FLAG = "b"\n')

    rules = {rule for line in findings(tmp_path, "wrynose") for rule in line.split(":")[3:4]}

    assert {"oelint.var.mandatoryvar.DESCRIPTION", "oelint.var.mandatoryvar.LICENSE"} <= rules
