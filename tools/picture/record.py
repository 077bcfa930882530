"""Records a kill and a resume, and draws the terminal as an animated SVG.

The argument is the file to write. Where a reader wants no motion, all lines are
shown at once.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from xml.sax.saxutils import escape

TRAIN = "tools/picture/train.R"
# How many epochs are printed before the kill.
EPOCHS_BEFORE = 3
# What Keras and the resume print for the reader; not what the backend logs.
SHOWN = re.compile(r"^Epoch |loss:|[Bb]ackup|[Rr]esum|^\[1\]")
COMPARE = 'identical(backup_read("backup"), backup_read("alone"))'

SECONDS = {"command": 1.2, "output": 0.45, "kill": 1.5}
COLOURS = {"command": "#f0f6fc", "output": "#9da7b3", "kill": "#ff7b72"}
ROW, LEFT, TOP = 20, 16, 44
WIDTH = 760
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
  width="{width}" height="{height}" role="img">
<title>A training is killed and run again, and ends with the same bits</title>
<style>
text {{
  font: 14px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  white-space: pre
}}
@media (prefers-reduced-motion: no-preference) {{
{style}
}}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>
{dots}
{texts}
</svg>
"""


def start(arguments, directory):
    return subprocess.Popen(
        ["Rscript", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def printed(process, until=None):
    """Yields the lines to show, and kills the process after `until` losses."""
    losses = 0
    for line in process.stdout:
        if SHOWN.search(line):
            yield "output", line.rstrip()
            losses += "loss:" in line
        # Some time into the next epoch, when the last save is committed.
        if until is not None and losses == until and line.startswith("Epoch"):
            time.sleep(1)
            process.kill()
            break
    process.stdout.close()
    status = process.wait()
    if status != (0 if until is None else -9):
        raise SystemExit(f"The training ended with status {status}.")


def record(directory):
    shutil.copy(TRAIN, directory / "train.R")
    lines = [("command", "$ Rscript train.R backup")]
    lines += printed(start(["train.R", "backup"], directory), EPOCHS_BEFORE)
    lines += [("kill", "Killed")]
    lines += [("command", "$ Rscript train.R backup")]
    lines += printed(start(["train.R", "backup"], directory))
    lines += [("command", "$ Rscript train.R alone  # the same, never killed")]
    list(printed(start(["train.R", "alone"], directory)))
    lines += [("command", f"> {COMPARE}")]
    compare = f"library(kerasbackup); {COMPARE}"
    lines += printed(start(["-e", compare], directory))
    if lines[-1][1] != "[1] TRUE":
        raise SystemExit("The two trainings differ.")
    return lines


def draw(lines):
    # The first line is there from the beginning, so no frame is empty.
    times, now = [0.0], 0.0
    for kind, _ in lines[1:]:
        now += SECONDS[kind]
        times.append(now)
    # The end is shown for some seconds before it starts over.
    total = now + 5
    height = TOP + ROW * len(lines) + 8
    style, texts = [], []
    for i, ((kind, text), at) in enumerate(zip(lines, times, strict=True)):
        share = 100 * at / total
        if at > 0:
            style.append(
                f"@keyframes l{i}{{0%,{share:.2f}%{{opacity:0}}"
                f"{share + 0.01:.2f}%,100%{{opacity:1}}}}"
                f"#l{i}{{animation:l{i} {total:.1f}s infinite}}"
            )
        texts.append(
            f'<text id="l{i}" x="{LEFT}" y="{TOP + ROW * i + 14}"'
            f' fill="{COLOURS[kind]}">{escape(text)}</text>'
        )
    dots = "".join(
        f'<circle cx="{20 + 18 * i}" cy="18" r="6" fill="{colour}"/>'
        for i, colour in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))
    )
    return SVG.format(
        width=WIDTH,
        height=height,
        style="\n".join(style),
        dots=dots,
        texts="\n".join(texts),
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        recorded = record(pathlib.Path(directory))
    pathlib.Path(sys.argv[1]).write_text(draw(recorded), encoding="utf-8")
