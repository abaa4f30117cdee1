"""Makes docs/demo.svg from real output: runs each line below in tmux and draws what it shows.

python docs/record_demo.py        (needs tmux, harpoon on the PATH, and `harpoon sandbox pull` before it)
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 84
LINES = (
    'harpoon infer "Why is the sky blue?" --max-tokens 40',
    "harpoon pools",
    "harpoon allocate -m gemma-2b -q",
    "harpoon leases",
    "harpoon release --all",
)
DONE = "harpoon-demo-is-over"


def tmux(*arguments: str) -> str:
    return subprocess.run(
        ["tmux", "-L", "demo", *arguments], check=True, capture_output=True, text=True
    ).stdout


def screen() -> str:
    """What the terminal shows at the end, with its colours."""
    script = "\n".join(f"printf '\\033[1;32m$\\033[0m %s\\n' '{line}'; {line}" for line in LINES)
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(f"clear\n{script}\necho {DONE}\nsleep 60\n")
        file.flush()
        tmux("new-session", "-d", "-x", str(COLUMNS), "-y", "80", f"sh {file.name}")
        try:
            while DONE not in tmux("capture-pane", "-p"):
                time.sleep(0.2)
            return tmux("capture-pane", "-p", "-e").split(DONE)[0].rstrip()
        finally:
            tmux("kill-server")


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(screen()), soft_wrap=True)
    drawing = console.export_svg(title="harpoon")
    drawing = re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)  # no font from elsewhere
    (Path(__file__).parent / "demo.svg").write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
