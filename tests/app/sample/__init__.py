# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sample application of the lab: a small cash ledger that uses the platform as a real one would."""

import os

VERSION = os.environ.get("APP_VERSION", "0.0.0")
