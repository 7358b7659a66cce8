# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What clients saw, judged; a sidecar YAML documents it."""

from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.module_utils import _traffic


def traffic_verdict(after, before, servers, limits):
    """Whether the counters of all edges between two looks are within the limits, and what they say."""
    found = _traffic.seen(before, after, list(servers))
    good, said = _traffic.judge(found, **limits)
    return {"good": good, "said": said, **found}


class FilterModule:
    def filters(self):
        return {"traffic_verdict": traffic_verdict}
