# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let plain pytest import the collection by its full name, wherever the checkout lies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
COLLECTIONS = ROOT / ".cache" / "collections"
LINK = COLLECTIONS / "ansible_collections" / "mainstay" / "platform"

LINK.parent.mkdir(parents=True, exist_ok=True)
if not LINK.exists():
    LINK.unlink(missing_ok=True)
    LINK.symlink_to(os.path.relpath(ROOT, LINK.parent), target_is_directory=True)
sys.path.insert(0, str(COLLECTIONS))
